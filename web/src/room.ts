// The meeting screen: takes what the session tells to the views, and what the person asks to the session.
import { spacedPin } from "./address";
import { Chat } from "./chat";
import { Controls } from "./controls";
import { DevicePickers, deviceTrouble } from "./devices";
import { announce, element } from "./dom";
import { type Ending, endingOf } from "./ending";
import type { Arrival } from "./lobby";
import { Panel } from "./panel";
import { People } from "./people";
import { Roster } from "./roster";
import { type DataMessage, type MeetingSessionStatusCode, type VideoTileState } from "./sdk";
import { type Listener, Session } from "./session";
import { Stage } from "./stage";

/** How long a passing notice stays, in ms. */
const NOTICE_STAYS = 6000;

/** One room, used for one meeting after another. */
export class Room implements Listener {
  private readonly screen = element("meeting", HTMLElement);
  private readonly notice = element("notice", HTMLElement);
  private readonly audio = element("meeting-audio", HTMLAudioElement);
  private readonly dialog = element("device-dialog", HTMLDialogElement);
  private readonly people = new People();
  private readonly stage = new Stage((tileId, video) => this.session?.bindTile(tileId, video));
  private readonly panel = new Panel((tab) => {
    if (tab === "chat") this.chat.opened();
  });
  private readonly chat = new Chat((text) => this.say(text));
  private readonly controls: Controls;
  private readonly pickers: DevicePickers;
  private session: Session | undefined;
  private roster = new Roster("");
  private arrival: Arrival | undefined;
  private noticeTimer: number | undefined;
  private drawDue = false;

  constructor(private readonly over: (ending: Ending) => void) {
    this.pickers = new DevicePickers(element("meeting-devices", HTMLElement), "meeting-", (kind, deviceId) => {
      this.session?.use(kind, deviceId).catch((error: unknown) => {
        this.tell(deviceTrouble(error, kind === "videoinput" ? "camera" : "microphone"));
      });
    });
    this.controls = new Controls({
      mute: (on) => {
        if (!this.session?.mute(on)) this.tell("You cannot unmute yourself in this meeting.");
      },
      camera: (on) => void this.camera(on),
      share: (on) => void this.share(on),
      devices: () => {
        void this.pickers.refresh();
        this.dialog.showModal();
      },
      leave: () => this.session?.leave(),
    });
    for (const button of document.querySelectorAll<HTMLButtonElement>("[data-copy]")) {
      button.addEventListener("click", () => void this.copy(button));
    }
    // A closed page leaves at once instead of by a time-out.
    window.addEventListener("pagehide", () => this.session?.leave());
  }

  /** Goes in. */
  async enter(arrival: Arrival): Promise<void> {
    this.arrival = arrival;
    try {
      this.session = new Session(arrival.place, this);
    } catch (error) {
      // The SDK checks what the server handed out; its words name the missing field.
      this.over({ reason: "failed", title: "The meeting could not be opened", text: String(error), again: true });
      return;
    }
    this.roster = new Roster(this.session.selfId);
    this.screen.hidden = false;
    this.screen.dataset["attendeeId"] = this.session.selfId;
    this.state("connecting");
    this.chat.clear();
    this.panel.open("people");
    this.controls.muted(arrival.muted);
    this.controls.cameraOn(false);
    this.controls.sharing(false);
    this.dialIn(arrival);
    this.draw();
    await this.pickers.adopt(arrival.devices);
    const trouble = await this.session.start(this.audio, arrival.devices, arrival.muted);
    if (trouble) this.tell(`${deviceTrouble(trouble, "microphone")} Others cannot hear you.`);
  }

  connecting(again: boolean): void {
    this.state(again ? "reconnecting" : "connecting");
    if (again) this.tell("The connection was lost. Reconnecting…", true);
  }

  connected(): void {
    const again = this.screen.dataset["state"] === "reconnecting";
    this.state("connected");
    this.quiet();
    announce(again ? "Reconnected" : "You are in the meeting");
    if (!again && this.arrival?.cameraOn) void this.camera(true);
  }

  stopped(code: MeetingSessionStatusCode): void {
    const session = this.session;
    if (!session) return;
    this.session = undefined;
    this.state("ended");
    this.dialog.close();
    this.quiet();
    this.stage.clear();
    this.roster.clear();
    this.people.show([]);
    this.screen.hidden = true;
    void session.release();
    this.over(endingOf(code));
  }

  arrived(attendeeId: string, externalUserId: string | undefined): void {
    const isNew = this.roster.arrive(attendeeId, externalUserId);
    const person = this.roster.find(attendeeId);
    if (isNew && person && !person.self && !person.content) announce(`${person.name} joined`);
    this.draw();
  }

  departed(attendeeId: string, dropped: boolean): void {
    const person = this.roster.depart(attendeeId);
    if (person && !person.self && !person.content) announce(`${person.name} ${dropped ? "lost the connection" : "left"}`);
    this.draw();
  }

  indicated(attendeeId: string, indication: Parameters<Roster["indicate"]>[1]): void {
    this.roster.indicate(attendeeId, indication);
    this.draw();
  }

  activeSpeakers(attendeeIds: string[]): void {
    this.roster.markActive(attendeeIds);
    this.draw();
  }

  muted(muted: boolean): void {
    this.controls.muted(muted);
  }

  tile(state: VideoTileState): void {
    if (state.tileId === null || !state.boundAttendeeId) return;
    if (state.localTile && !state.boundVideoStream) return; // the local tile is told once before its picture
    this.stage.pictureCame({ tileId: state.tileId, attendeeId: state.boundAttendeeId, content: state.isContent });
    this.draw();
  }

  tileGone(tileId: number): void {
    this.stage.pictureWent(tileId);
    this.draw();
  }

  cameraUnavailable(): void {
    this.tell("This meeting takes no picture from you now: you may not send one, or no more fit in.");
    void this.camera(false);
  }

  sharing(on: boolean): void {
    this.controls.sharing(on);
  }

  network(good: boolean): void {
    if (good) this.quiet();
    else this.tell("Your network is slow. Turning the camera off helps.");
  }

  message(message: DataMessage): void {
    if (message.throttled) return this.chat.remark("That was too fast: the last message was not sent.");
    const sender = this.roster.find(message.senderAttendeeId);
    if (sender?.self) return; // shown when it was sent
    const name = sender?.name ?? message.senderExternalUserId;
    this.chat.came(name, message.text(), message.timestampMs, this.panel.current === "chat");
    announce(`Message from ${name}`);
  }

  private say(text: string): void {
    try {
      this.session?.say(text);
      this.chat.sent(this.arrival?.name ?? "You", text);
    } catch {
      this.chat.remark("The message could not be sent.");
    }
  }

  private async camera(on: boolean): Promise<void> {
    const session = this.session;
    if (!session) return;
    this.controls.cameraBusy(true);
    try {
      await (on ? session.startCamera(this.pickers.choice.videoinput) : session.stopCamera());
      this.controls.cameraOn(on);
    } catch (error) {
      this.tell(deviceTrouble(error, "camera"));
    } finally {
      this.controls.cameraBusy(false);
    }
  }

  private async share(on: boolean): Promise<void> {
    if (!on) return this.session?.stopShare();
    try {
      await this.session?.startShare();
    } catch (error) {
      // Closing the browser's picker is a choice, not an error.
      const declined = error instanceof DOMException && error.name === "NotAllowedError";
      if (!declined) this.tell("The screen could not be shared.");
      this.controls.sharing(false);
    }
  }

  private dialIn({ place, meetingId }: Arrival): void {
    element("meeting-title", HTMLElement).textContent = `Meeting ${spacedPin(place.pin || meetingId)}`;
    element("dial-string", HTMLElement).textContent = place.dialString;
    element("dial-pin", HTMLElement).textContent = place.pin;
    element("dial-link", HTMLElement).textContent = `${location.origin}/meet/${place.pin || meetingId}`;
    element("tab-dial", HTMLElement).hidden = !place.dialString && !place.pin;
  }

  private async copy(button: HTMLButtonElement): Promise<void> {
    const text = element(button.dataset["copy"] ?? "", HTMLElement).textContent ?? "";
    const done = await navigator.clipboard?.writeText(text).then(
      () => true,
      () => false,
    );
    announce(done ? "Copied" : "Copying is not allowed here");
    button.textContent = done ? "Copied" : "Copy";
    window.setTimeout(() => (button.textContent = "Copy"), 1500);
  }

  /** Views are drawn once per frame, however many indications come in. */
  private draw(): void {
    if (this.drawDue) return;
    this.drawDue = true;
    // Not requestAnimationFrame: it rests in background tabs, and the roster must not.
    window.setTimeout(() => {
      this.drawDue = false;
      const people = this.roster.list();
      this.people.show(people);
      this.stage.show(people, (id) => this.roster.find(id)?.name ?? this.roster.find(id.replace(/#content$/, ""))?.name ?? "Somebody");
    }, 30);
  }

  private state(state: string): void {
    this.screen.dataset["state"] = state;
  }

  private tell(words: string, stays = false): void {
    window.clearTimeout(this.noticeTimer);
    this.notice.textContent = words;
    this.notice.hidden = false;
    if (!stays) this.noticeTimer = window.setTimeout(() => this.quiet(), NOTICE_STAYS);
  }

  private quiet(): void {
    window.clearTimeout(this.noticeTimer);
    this.notice.hidden = true;
    this.notice.textContent = "";
  }
}
