// The first screen: who you are, which meeting, which devices.
import { meetingInPath, tidyMeetingId } from "./address";
import { type Choice, DevicePickers } from "./devices";
import { element } from "./dom";
import { join, JoinRefused, type Place } from "./join";
import { Preview } from "./preview";

/** What the lobby hands over when the server gave a place. */
export interface Arrival {
  place: Place;
  meetingId: string;
  name: string;
  devices: Choice;
  cameraOn: boolean;
  muted: boolean;
}

const NAME = "campanile.name";

/** The form and its preview. */
export class Lobby {
  private readonly screen = element("lobby", HTMLElement);
  private readonly name = element("name", HTMLInputElement);
  private readonly meetingId = element("meeting-id", HTMLInputElement);
  private readonly cameraOn = element("camera-on-join", HTMLInputElement);
  private readonly muted = element("muted-on-join", HTMLInputElement);
  private readonly button = element("join", HTMLButtonElement);
  private readonly error = element("join-error", HTMLElement);
  private readonly preview = new Preview();
  private readonly pickers: DevicePickers;

  constructor(private readonly arrived: (arrival: Arrival) => void) {
    this.pickers = new DevicePickers(element("lobby-devices", HTMLElement), "", (kind, deviceId) => {
      if (kind === "audioinput") void this.preview.listen(deviceId);
      if (kind === "videoinput" && this.cameraOn.checked) void this.preview.look(deviceId);
    });
    this.meetingId.value = meetingInPath(location.pathname);
    this.name.value = kept(NAME);
    this.cameraOn.addEventListener("change", () => {
      void this.preview.look(this.cameraOn.checked ? this.pickers.choice.videoinput : null).then(() => this.pickers.refresh());
    });
    element("join-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      void this.submit();
    });
  }

  /** Shows the screen and opens the microphone, so that devices have names. */
  async open(): Promise<void> {
    this.screen.hidden = false;
    (this.meetingId.value ? this.name : this.meetingId).focus();
    const trouble = await this.preview.listen(this.pickers.choice.audioinput);
    await this.pickers.refresh();
    if (this.cameraOn.checked) await this.preview.look(this.pickers.choice.videoinput);
    // Without a microphone one can still listen: it is said, but nothing is blocked.
    if (trouble) this.say(`${trouble} You can join and listen.`, "microphone");
  }

  private async submit(): Promise<void> {
    const name = this.name.value.trim();
    const meetingId = tidyMeetingId(this.meetingId.value);
    if (!name) return this.complain(this.name, "Enter your name.");
    if (!meetingId) return this.complain(this.meetingId, "Enter the meeting id.");
    this.say("");
    this.busy(true);
    try {
      const place = await join(meetingId, name);
      keep(NAME, name);
      // The SDK opens the devices anew; some cameras can be open only once.
      this.preview.stop();
      this.screen.hidden = true;
      this.arrived({
        place,
        meetingId,
        name,
        devices: { ...this.pickers.choice },
        cameraOn: this.cameraOn.checked,
        muted: this.muted.checked,
      });
    } catch (error) {
      const refused = error instanceof JoinRefused ? error : new JoinRefused("unavailable", String(error));
      this.say(refused.message, refused.refusal);
      if (refused.refusal === "unknown") this.meetingId.focus();
    } finally {
      this.busy(false);
    }
  }

  private complain(field: HTMLInputElement, words: string): void {
    this.say(words, "incomplete");
    field.setAttribute("aria-invalid", "true");
    field.addEventListener("input", () => field.removeAttribute("aria-invalid"), { once: true });
    field.focus();
  }

  private say(words: string, reason = ""): void {
    this.error.textContent = words;
    this.error.dataset["reason"] = reason;
    this.error.hidden = !words;
  }

  private busy(is: boolean): void {
    this.button.disabled = is;
    this.button.textContent = is ? "Joining…" : "Join";
  }
}

function kept(key: string): string {
  try {
    return localStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}

function keep(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Nothing kept, nothing lost.
  }
}
