// Lets an emergency be heard and felt until somebody takes it. Knows how many there are, not what they are.
// @ts-check

const AGAIN_AFTER = 8000;
const QUIET = "staff-quiet";

/** @type {AudioContext|undefined} */
let audio;
/** @type {ReturnType<typeof setInterval>|undefined} */
let ringing;

export const muted = () => localStorage.getItem(QUIET) === "yes";

/** @param {boolean} quiet */
export function mute(quiet) {
  localStorage.setItem(QUIET, quiet ? "yes" : "no");
  if (quiet) navigator.vibrate?.(0);
}

/** Browsers let a page sound only after somebody has touched it. */
export function ready() {
  const wake = () => {
    audio ??= new AudioContext();
    void audio.resume();
  };
  for (const event of ["pointerdown", "keydown"]) addEventListener(event, wake, { passive: true, capture: true });
}

/** While emergencies wait for somebody. @param {number} waiting */
export function emergencies(waiting) {
  if (!waiting) {
    clearInterval(ringing);
    ringing = undefined;
  } else if (ringing === undefined) {
    ring();
    ringing = setInterval(ring, AGAIN_AFTER);
  }
}

/** Somebody new waits, no emergency. */
export function chime() {
  if (!muted()) sound([[660, 0, 0.18]], 0.08);
}

function ring() {
  if (muted()) return;
  navigator.vibrate?.([300, 120, 300, 120, 300]);
  sound([[880, 0, 0.22], [660, 0.28, 0.22], [880, 0.56, 0.22]], 0.2);
}

/** @param {[number, number, number][]} tones hertz, start, length in seconds @param {number} volume */
function sound(tones, volume) {
  if (audio?.state !== "running") return;
  const at = audio.currentTime;
  for (const [hertz, start, length] of tones) {
    const tone = new OscillatorNode(audio, { frequency: hertz, type: "triangle" });
    const gain = new GainNode(audio, { gain: 0 });
    gain.gain.setTargetAtTime(volume, at + start, 0.01);
    gain.gain.setTargetAtTime(0, at + start + length, 0.02);
    tone.connect(gain).connect(audio.destination);
    tone.start(at + start);
    tone.stop(at + start + length + 0.2);
  }
}
