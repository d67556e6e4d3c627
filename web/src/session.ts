// One meeting session on the SDK: everything it tells goes to a listener, everything asked of it comes by a method.
import type { Choice, Kind } from "./devices";
import type { Place } from "./join";
import type { Indication } from "./roster";
import {
  type AudioVideoObserver,
  ConsoleLogger,
  type ContentShareObserver,
  type DataMessage,
  DefaultActiveSpeakerPolicy,
  DefaultDeviceController,
  DefaultMeetingSession,
  LogLevel,
  MeetingSessionConfiguration,
  type MeetingSessionStatusCode,
  type VideoTileState,
} from "./sdk";

/** What the page hears of the meeting. */
export interface Listener {
  connecting(again: boolean): void;
  connected(): void;
  stopped(code: MeetingSessionStatusCode): void;
  arrived(attendeeId: string, externalUserId: string | undefined): void;
  departed(attendeeId: string, dropped: boolean): void;
  indicated(attendeeId: string, indication: Indication): void;
  activeSpeakers(attendeeIds: string[]): void;
  muted(muted: boolean): void;
  tile(state: VideoTileState): void;
  tileGone(tileId: number): void;
  cameraUnavailable(): void;
  sharing(on: boolean): void;
  network(good: boolean): void;
  message(message: DataMessage): void;
}

/** The topic of chat messages. */
const CHAT = "chat";
/** How long the server keeps a chat message for those who join later, in ms. */
const CHAT_KEPT = 300_000;
/** The protocol's limit for one message, in octets. */
export const MESSAGE_LIMIT = 2048;

/** A joined meeting. */
export class Session {
  private readonly session: DefaultMeetingSession;
  private readonly watched = new Set<string>();
  readonly selfId: string;

  constructor(
    place: Place,
    private readonly listener: Listener,
  ) {
    const configuration = new MeetingSessionConfiguration(place.meeting, place.attendee);
    const logger = new ConsoleLogger("campanile", LogLevel.WARN);
    this.session = new DefaultMeetingSession(configuration, logger, new DefaultDeviceController(logger));
    this.selfId = configuration.credentials?.attendeeId ?? "";
  }

  /** Opens the microphone, then the meeting. Returns what went wrong with the microphone; the meeting starts anyway. */
  async start(audio: HTMLAudioElement, devices: Choice, muted: boolean): Promise<unknown> {
    const av = this.session.audioVideo;
    this.subscribe();
    if (muted) av.realtimeMuteLocalAudio();
    let trouble: unknown;
    try {
      await av.startAudioInput(devices.audioinput || null);
    } catch (error) {
      trouble = error;
      // Silence in place of a microphone, so that the person can listen.
      await av.startAudioInput(null);
    }
    await this.useSpeaker(devices.audiooutput);
    await av.bindAudioElement(audio);
    av.start();
    return trouble;
  }

  /** Leaves; `stopped` is told when the server has said goodbye. */
  leave(): void {
    this.session.audioVideo.stop();
  }

  /** Gives the devices back. */
  async release(): Promise<void> {
    const av = this.session.audioVideo;
    av.unbindAudioElement();
    await Promise.allSettled([av.stopAudioInput(), av.stopVideoInput()]);
    await this.session.deviceController.destroy();
  }

  /** Mutes or unmutes; returns whether it was done. */
  mute(on: boolean): boolean {
    const av = this.session.audioVideo;
    if (!on) return av.realtimeUnmuteLocalAudio();
    av.realtimeMuteLocalAudio();
    return true;
  }

  async startCamera(deviceId: string): Promise<void> {
    const av = this.session.audioVideo;
    const cameras = await av.listVideoInputDevices();
    const camera = deviceId || cameras[0]?.deviceId;
    if (!camera) throw new DOMException("no camera", "NotFoundError");
    await av.startVideoInput(camera);
    av.startLocalVideoTile();
  }

  async stopCamera(): Promise<void> {
    this.session.audioVideo.stopLocalVideoTile();
    await this.session.audioVideo.stopVideoInput();
  }

  async startShare(): Promise<void> {
    await this.session.audioVideo.startContentShareFromScreenCapture();
  }

  stopShare(): void {
    this.session.audioVideo.stopContentShare();
  }

  /** Switches a device in mid-meeting. */
  async use(kind: Kind, deviceId: string): Promise<void> {
    const av = this.session.audioVideo;
    if (kind === "audioinput") await av.startAudioInput(deviceId);
    else if (kind === "audiooutput") await this.useSpeaker(deviceId);
    else if (av.hasStartedLocalVideoTile()) await av.startVideoInput(deviceId);
  }

  bindTile(tileId: number, video: HTMLVideoElement): void {
    this.session.audioVideo.bindVideoElement(tileId, video);
  }

  /** Sends a chat message to everybody. Not longer than {@link MESSAGE_LIMIT} octets. */
  say(text: string): void {
    this.session.audioVideo.realtimeSendDataMessage(CHAT, text, CHAT_KEPT);
  }

  private async useSpeaker(deviceId: string): Promise<void> {
    if (!deviceId || !("setSinkId" in HTMLMediaElement.prototype)) return;
    // A speaker that went away must not keep anybody out: the default one plays.
    await this.session.audioVideo.chooseAudioOutput(deviceId).catch(() => undefined);
  }

  private subscribe(): void {
    const av = this.session.audioVideo;
    const tell = this.listener;
    const observer: AudioVideoObserver & ContentShareObserver = {
      audioVideoDidStartConnecting: (again) => tell.connecting(again),
      audioVideoDidStart: () => tell.connected(),
      audioVideoDidStop: (status) => tell.stopped(status.statusCode()),
      videoTileDidUpdate: (state) => tell.tile(state),
      videoTileWasRemoved: (tileId) => tell.tileGone(tileId),
      videoSendDidBecomeUnavailable: () => tell.cameraUnavailable(),
      connectionDidBecomePoor: () => tell.network(false),
      connectionDidSuggestStopVideo: () => tell.network(false),
      connectionDidBecomeGood: () => tell.network(true),
      contentShareDidStart: () => tell.sharing(true),
      contentShareDidStop: () => tell.sharing(false),
    };
    av.addObserver(observer);
    av.addContentShareObserver(observer);
    av.realtimeSubscribeToAttendeeIdPresence((attendeeId, present, externalUserId, dropped) => {
      if (!present) return tell.departed(attendeeId, dropped ?? false);
      tell.arrived(attendeeId, externalUserId);
      if (this.watched.has(attendeeId)) return; // a reconnection tells everybody anew
      this.watched.add(attendeeId);
      av.realtimeSubscribeToVolumeIndicator(attendeeId, (id, volume, muted, signal) =>
        tell.indicated(id, { volume, muted, signal }),
      );
    });
    av.realtimeSubscribeToMuteAndUnmuteLocalAudio((muted) => tell.muted(muted));
    av.subscribeToActiveSpeakerDetector(new DefaultActiveSpeakerPolicy(), (ids) => tell.activeSpeakers(ids));
    av.realtimeSubscribeToReceiveDataMessage(CHAT, (message) => tell.message(message));
  }
}
