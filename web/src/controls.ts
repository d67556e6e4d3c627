// The buttons under the tiles: what each shows and what it asks for.
import { announce, element } from "./dom";

/** What the buttons ask for. */
export interface Asked {
  mute(on: boolean): void;
  camera(on: boolean): void;
  share(on: boolean): void;
  devices(): void;
  leave(): void;
}

/** A two-state button's faces. */
interface Faces {
  on: { icon: string; text: string };
  off: { icon: string; text: string };
}

const MUTE: Faces = { off: { icon: "mic", text: "Mute" }, on: { icon: "mic-off", text: "Unmute" } };
const CAMERA: Faces = { off: { icon: "camera-off", text: "Start camera" }, on: { icon: "camera", text: "Stop camera" } };
const SHARE: Faces = { off: { icon: "screen", text: "Share screen" }, on: { icon: "screen", text: "Stop sharing" } };

/** The toolbar. */
export class Controls {
  private readonly mute = element("mute", HTMLButtonElement);
  private readonly camera = element("camera", HTMLButtonElement);
  private readonly share = element("share", HTMLButtonElement);

  constructor(asked: Asked) {
    this.mute.addEventListener("click", () => asked.mute(!isOn(this.mute)));
    this.camera.addEventListener("click", () => asked.camera(!isOn(this.camera)));
    this.share.addEventListener("click", () => asked.share(!isOn(this.share)));
    element("settings", HTMLButtonElement).addEventListener("click", () => asked.devices());
    element("leave", HTMLButtonElement).addEventListener("click", () => asked.leave());
    this.share.hidden = !navigator.mediaDevices || !("getDisplayMedia" in navigator.mediaDevices);
  }

  muted(on: boolean): void {
    if (isOn(this.mute) !== on) announce(on ? "Microphone muted" : "Microphone on");
    face(this.mute, MUTE, on);
  }

  cameraOn(on: boolean): void {
    if (isOn(this.camera) !== on) announce(on ? "Camera on" : "Camera off");
    face(this.camera, CAMERA, on);
  }

  sharing(on: boolean): void {
    if (isOn(this.share) !== on) announce(on ? "You are sharing your screen" : "You stopped sharing");
    face(this.share, SHARE, on);
  }

  /** Keeps the camera button from being pressed twice while the camera starts. */
  cameraBusy(is: boolean): void {
    this.camera.disabled = is;
  }
}

function isOn(button: HTMLButtonElement): boolean {
  return button.getAttribute("aria-pressed") === "true";
}

function face(button: HTMLButtonElement, faces: Faces, on: boolean): void {
  const { icon, text } = on ? faces.on : faces.off;
  button.setAttribute("aria-pressed", String(on));
  button.querySelector("use")?.setAttribute("href", `#icon-${icon}`);
  const caption = button.querySelector("span");
  if (caption) caption.textContent = text;
}
