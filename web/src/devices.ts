// Microphones, speakers and cameras: what there is, and the pickers for them.
import { make } from "./dom";

/** The three kinds, as the browser names them, with our words. */
const KINDS = [
  { kind: "audioinput", label: "Microphone", id: "mic-select", none: "No microphone found" },
  { kind: "audiooutput", label: "Speaker", id: "speaker-select", none: "System default" },
  { kind: "videoinput", label: "Camera", id: "camera-select", none: "No camera found" },
] as const;

/** A kind of device, as `MediaDeviceInfo.kind`. */
export type Kind = (typeof KINDS)[number]["kind"];

/** The chosen device ids; empty means the system's default, or none when there is none. */
export type Choice = Record<Kind, string>;

/** What was picked before, kept in this browser. */
const REMEMBERED = "campanile.devices";

/** Three labelled pickers that follow devices as they come and go. */
export class DevicePickers {
  readonly choice: Choice = { audioinput: "", audiooutput: "", videoinput: "", ...remembered() };
  private readonly selects = new Map<Kind, HTMLSelectElement>();

  /** Builds the pickers into `host`; ids and test ids get `prefix`, as the page has two such groups. */
  constructor(
    host: HTMLElement,
    prefix: string,
    private readonly changed: (kind: Kind, deviceId: string) => void,
  ) {
    for (const { kind, label, id } of KINDS) {
      const select = make("select");
      select.id = `${prefix}${id}`;
      select.dataset["testid"] = select.id;
      select.addEventListener("change", () => this.pick(kind, select.value));
      const caption = make("label", "", label);
      caption.htmlFor = select.id;
      host.append(make("div", "device", caption, select));
      this.selects.set(kind, select);
    }
    navigator.mediaDevices?.addEventListener("devicechange", () => void this.refresh());
  }

  /** Reads the devices again. Names appear only once the person has allowed their use. */
  async refresh(): Promise<void> {
    const devices = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
    for (const { kind, label, none } of KINDS) {
      const select = this.selects.get(kind);
      if (!select) continue;
      const found = devices.filter((device) => device.kind === kind && device.deviceId);
      const options = found.map((device, at) => new Option(device.label || `${label} ${at + 1}`, device.deviceId));
      select.replaceChildren(...(options.length ? options : [new Option(none, "")]));
      // Choosing a speaker is something some browsers do not offer at all.
      select.disabled = options.length === 0 || (kind === "audiooutput" && !("setSinkId" in HTMLMediaElement.prototype));
      const kept = found.some((device) => device.deviceId === this.choice[kind]);
      if (!kept) this.choice[kind] = found[0]?.deviceId ?? "";
      select.value = this.choice[kind];
    }
  }

  /** Takes over what another group of pickers holds. */
  async adopt(choice: Choice): Promise<void> {
    Object.assign(this.choice, choice);
    await this.refresh();
  }

  private pick(kind: Kind, deviceId: string): void {
    this.choice[kind] = deviceId;
    try {
      localStorage.setItem(REMEMBERED, JSON.stringify(this.choice));
    } catch {
      // A browser that keeps nothing still makes calls.
    }
    this.changed(kind, deviceId);
  }
}

function remembered(): Partial<Choice> {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(REMEMBERED) ?? "{}");
    return typeof kept === "object" && kept !== null ? (kept as Partial<Choice>) : {};
  } catch {
    return {};
  }
}

/** Why the browser gave no microphone or camera, in words. */
export function deviceTrouble(error: unknown, what: "microphone" | "camera"): string {
  const name = error instanceof DOMException ? error.name : "";
  switch (name) {
    case "NotAllowedError":
      return `The browser does not allow this page to use your ${what}. Allow it in the address bar.`;
    case "NotFoundError":
    case "OverconstrainedError":
      return `No ${what} was found.`;
    case "NotReadableError":
      return `Your ${what} is in use by another program.`;
    default:
      return navigator.mediaDevices
        ? `Your ${what} could not be started.`
        : `Browsers give a ${what} only to pages loaded over https.`;
  }
}
