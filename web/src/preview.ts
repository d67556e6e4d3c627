// The lobby's look in the mirror: the camera's picture and the microphone's level before joining.
import { deviceTrouble } from "./devices";
import { element } from "./dom";

/** Holds the devices while the person looks; `stop` gives them back. */
export class Preview {
  private readonly video = element("preview", HTMLVideoElement);
  private readonly note = element("preview-note", HTMLElement);
  private readonly level = element("mic-level", HTMLElement) as HTMLMeterElement;
  private microphone: MediaStream | undefined;
  private camera: MediaStream | undefined;
  private context: AudioContext | undefined;
  private timer: number | undefined;

  /** Listens to a microphone and shows its level. Returns what went wrong, or nothing. */
  async listen(deviceId: string): Promise<string> {
    this.deafen();
    try {
      this.microphone = await navigator.mediaDevices.getUserMedia({ audio: deviceId ? { deviceId } : true });
    } catch (error) {
      return deviceTrouble(error, "microphone");
    }
    this.context = new AudioContext();
    const analyser = this.context.createAnalyser();
    analyser.fftSize = 1024;
    this.context.createMediaStreamSource(this.microphone).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    this.timer = window.setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
      // -60 dBFS is an empty bar, -10 dBFS a full one.
      this.level.value = Math.min(1, Math.max(0, (10 * Math.log10(power + 1e-9) + 60) / 50));
    }, 100);
    return "";
  }

  /** Shows a camera, or with null none. Returns what went wrong, or nothing. */
  async look(deviceId: string | null): Promise<string> {
    this.camera?.getTracks().forEach((track) => track.stop());
    this.camera = undefined;
    this.show("Your camera is off");
    if (deviceId === null) return "";
    try {
      this.camera = await navigator.mediaDevices.getUserMedia({ video: deviceId ? { deviceId } : true });
    } catch (error) {
      const trouble = deviceTrouble(error, "camera");
      this.show(trouble);
      return trouble;
    }
    this.video.srcObject = this.camera;
    this.video.hidden = false;
    this.note.hidden = true;
    return "";
  }

  /** Gives both devices back. */
  stop(): void {
    this.deafen();
    void this.look(null);
  }

  private deafen(): void {
    window.clearInterval(this.timer);
    this.microphone?.getTracks().forEach((track) => track.stop());
    this.microphone = undefined;
    void this.context?.close();
    this.context = undefined;
    this.level.value = 0;
  }

  private show(text: string): void {
    this.video.hidden = true;
    this.video.srcObject = null;
    this.note.hidden = false;
    this.note.textContent = text;
  }
}
