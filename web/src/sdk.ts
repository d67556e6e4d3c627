// The parts of amazon-chime-sdk-js that the page uses, named in one place.
export {
  ConsoleLogger,
  DefaultActiveSpeakerPolicy,
  DefaultDeviceController,
  DefaultMeetingSession,
  LogLevel,
  MeetingSessionConfiguration,
  MeetingSessionStatusCode,
} from "amazon-chime-sdk-js";
export type {
  AudioVideoFacade,
  AudioVideoObserver,
  ContentShareObserver,
  DataMessage,
  MeetingSessionStatus,
  VideoTileState,
} from "amazon-chime-sdk-js";
