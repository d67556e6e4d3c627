// One headless Chromium with one page, driven by lines of JSON on standard input: {"do": name, …}
// gives one line of JSON back: {"ok": value} or {"error": text}. The test's story is told in Rust;
// here is only what has to happen inside the browser.
//
// Arguments: PROFILE_FOLDER TONE_HZ
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const [profile, tone] = process.argv.slice(2);

const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  viewport: { width: 1100, height: 720 },
  ignoreHTTPSErrors: true,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--auto-select-desktop-capture-source=Entire screen",
    "--ignore-certificate-errors",
  ],
});
const page = context.pages()[0] ?? (await context.newPage());
const messages = [];
page.on("console", (message) => messages.push(`${message.type()}: ${message.text()}`));
page.on("pageerror", (error) => messages.push(`pageerror: ${error.stack ?? error}`));

// What the microphone says is a tone, 12 dB below full scale. It is the browser's own audio graph that makes it: Chromium's
// microphone from a file falls silent for good on a machine that stands still every now and then, and its filters take a
// steady tone for noise, and two of them for an echo.
await page.addInitScript((hz) => {
  const devices = navigator.mediaDevices;
  if (!devices) return;
  const ask = devices.getUserMedia.bind(devices);
  devices.getUserMedia = async (wish) => {
    const real = await ask(wish);
    const [silent] = real.getAudioTracks();
    if (!silent) return real;
    const context = new AudioContext({ sampleRate: 48_000 });
    await context.resume();
    const tone = new OscillatorNode(context, { frequency: hz });
    const level = new GainNode(context, { gain: 10 ** (-12 / 20) });
    const microphone = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
    tone.connect(level).connect(microphone);
    tone.start();
    const [track] = microphone.stream.getAudioTracks();
    const settings = silent.getSettings();
    track.getSettings = () => settings;
    silent.stop();
    return new MediaStream([track, ...real.getVideoTracks()]);
  };
}, Number(tone));

// Kept for `media`, which a failed test is told by.
await page.addInitScript(() => {
  const Connection = window.RTCPeerConnection;
  window.connections = [];
  window.RTCPeerConnection = function (...wishes) {
    const connection = new Connection(...wishes);
    window.connections.push(connection);
    return connection;
  };
  window.RTCPeerConnection.prototype = Connection.prototype;
  Object.assign(window.RTCPeerConnection, { generateCertificate: Connection.generateCertificate });
});

const id = (name) => `[data-testid="${name}"]`;
const meeting = page.locator(id("meeting"));

/** What a test may ask for. */
const verbs = {
  /** Opens the lobby at the meeting's link and asks to be let in. */
  async knock({ url, name, camera = false, muted = false }) {
    await page.goto(url);
    await page.fill(id("name"), name);
    await page.setChecked(id("camera-on-join"), camera);
    await page.setChecked(id("muted-on-join"), muted);
    await page.click(id("join"));
  },

  /** Opens the lobby at the meeting's link and goes in. */
  async join(wish) {
    await verbs.knock(wish);
    await page.waitForFunction(() => {
      const shown = (test) => document.querySelector(`[data-testid="${test}"]:not([hidden])`);
      return document.querySelector('[data-testid="meeting"][data-state="connected"]') || shown("ended") || (shown("join-error") && shown("lobby"));
    }, undefined, { timeout: 30_000 });
    return verbs.state();
  },

  /**
   * From the next visit on: another DTLS fingerprint goes to the server than the browser's own. One digit of it is
   * another, in the frame that carries the offer, whose length stays.
   */
  async tamper() {
    await page.addInitScript(() => {
      const send = WebSocket.prototype.send;
      const label = new TextEncoder().encode("a=fingerprint:sha-256 ");
      const zero = "0".charCodeAt(0);
      WebSocket.prototype.send = function (data) {
        if (typeof data === "string" || data instanceof Blob) return send.call(this, data);
        const octets = data instanceof ArrayBuffer ? new Uint8Array(data.slice(0)) : Uint8Array.from(data);
        for (let at = 0; at + label.length < octets.length; at += 1) {
          if (!label.every((octet, n) => octets[at + n] === octet)) continue;
          // Another hexadecimal digit: what is no fingerprint at all would be refused before it is compared.
          const first = at + label.length;
          octets[first] = octets[first] === zero ? zero + 1 : zero;
        }
        return send.call(this, octets);
      };
    });
  },

  /** From the next visit on, the page's signaling connections can be spoken on by `garbage`. */
  async tap() {
    await page.addInitScript(() => {
      const send = WebSocket.prototype.send;
      window.taps = new Set();
      WebSocket.prototype.send = function (data) {
        window.taps.add(this);
        return send.call(this, data);
      };
    });
  },

  /** Sends frames of chance octets on the page's signaling connection until `count` or its end; how many went. */
  garbage({ count }) {
    return page.evaluate(async (count) => {
      const open = [...window.taps].find((socket) => socket.readyState === WebSocket.OPEN);
      let sent = 0;
      // The same octets in every run.
      let state = 1;
      const chance = () => (state = (state * 48_271) % 2_147_483_647);
      for (; open && sent < count && open.readyState === WebSocket.OPEN; sent += 1) {
        const octets = Uint8Array.from({ length: 1 + (chance() % 600) }, () => chance() % 256);
        // Some begin as frames do: type 5, and a message of the SDK's protocol.
        if (sent % 3 === 0) octets[0] = 5;
        if (sent % 7 === 6) open.send("a text");
        else open.send(octets);
        await new Promise((next) => setTimeout(next, 5));
      }
      return sent;
    }, count);
  },

  /** Where the page stands. */
  state() {
    return page.evaluate(() => {
      const one = (test) => document.querySelector(`[data-testid="${test}"]`);
      const error = one("join-error");
      return {
        meeting: one("meeting").dataset.state,
        attendee: one("meeting").dataset.attendeeId ?? null,
        ended: one("ended").hidden ? null : one("ended").dataset.reason,
        refused: error.hidden ? null : error.dataset.reason,
        notice: one("notice").hidden ? "" : one("notice").textContent,
      };
    });
  },

  /** The roster as it is shown. */
  people() {
    return page.$$eval(id("person"), (rows) =>
      rows.map(({ dataset }) => ({
        attendee: dataset.attendeeId,
        name: dataset.name,
        self: dataset.self === "true",
        muted: dataset.muted === "true",
        speaking: dataset.speaking === "true",
        active_speaker: dataset.activeSpeaker === "true",
      })),
    );
  },

  /** Presses a button of the toolbar: mute, camera, share, leave. */
  async press({ button }) {
    await page.click(id(button));
  },

  async leave() {
    await page.click(id("leave"));
    await page.waitForSelector(id("ended"));
    return verbs.state();
  },

  async chat({ text }) {
    await page.click(id("tab-chat"));
    await page.fill(id("chat-text"), text);
    await page.click(id("chat-send"));
  },

  /** The chat as it is shown, whether or not its tab is open. */
  chat_lines() {
    return page.$$eval(id("chat-line"), (lines) =>
      lines.map((line) => ({ from: line.dataset.from, text: line.querySelector("p").textContent })),
    );
  },

  dial_in() {
    return page.evaluate(() => {
      const text = (test) => document.querySelector(`[data-testid="${test}"]`).textContent;
      return { dial_string: text("dial-string"), pin: text("dial-pin"), link: text("dial-link") };
    });
  },

  /**
   * Listens to what the page plays for some seconds. For each frequency the share of the moments in which
   * it was heard, and was no mere trace of what is louder, as a tone that is cut off leaves at all frequencies; and the
   * loudest level in dB below full scale.
   */
  hear({ tones, seconds }) {
    return page.evaluate(
      async ({ tones, seconds, audio }) => {
        const stream = document.querySelector(audio).srcObject;
        if (!stream) return tones.map((hz) => ({ hz, share: 0, loudest: -200 }));
        const context = new AudioContext({ sampleRate: 48_000 });
        await context.resume();
        const analyser = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
        context.createMediaStreamSource(stream).connect(analyser);
        const samples = new Float32Array(analyser.fftSize);
        // The level of one tone by the Goertzel filter with a Hann window, as the recordings are measured.
        const level = (hz) => {
          const turn = (2 * Math.PI * hz) / context.sampleRate;
          const coefficient = 2 * Math.cos(turn);
          let before = 0;
          let last = 0;
          samples.forEach((sample, at) => {
            const hann = 0.5 - 0.5 * Math.cos((2 * Math.PI * at) / samples.length);
            [before, last] = [last, sample * hann + coefficient * last - before];
          });
          const power = last * last + before * before - coefficient * last * before;
          return 20 * Math.log10(Math.max((4 * Math.sqrt(Math.max(power, 0))) / samples.length, 1e-9));
        };
        const heard = tones.map((hz) => ({ hz, share: 0, loudest: -200 }));
        const rounds = Math.round(seconds * 5);
        for (let round = 0; round < rounds; round += 1) {
          await new Promise((next) => setTimeout(next, 200));
          analyser.getFloatTimeDomainData(samples);
          const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
          const trace = 10 * Math.log10(Math.max(2 * power, 1e-18)) - 20;
          for (const tone of heard) {
            const now = level(tone.hz);
            tone.loudest = Math.max(tone.loudest, now);
            if (now >= Math.max(-45, trace)) tone.share += 1 / rounds;
          }
        }
        await context.close();
        return heard;
      },
      { tones, seconds, audio: id("meeting-audio") },
    );
  },

  /** Whether the picture of somebody's tile moves: size, and the share of pixels that changed within a second. */
  watch({ name }) {
    return page.evaluate(async (name) => {
      const tiles = [...document.querySelectorAll('[data-testid="tile"]')];
      const tile = tiles.find((tile) => tile.dataset.name === name && tile.dataset.video === "on");
      const video = tile?.querySelector("video");
      if (!video || !video.videoWidth) return { width: 0, height: 0, changed: 0, frames: 0 };
      const canvas = new OffscreenCanvas(160, 90);
      const brush = canvas.getContext("2d", { willReadFrequently: true });
      const look = () => {
        brush.drawImage(video, 0, 0, 160, 90);
        return brush.getImageData(0, 0, 160, 90).data;
      };
      const frames = () => video.getVideoPlaybackQuality().totalVideoFrames;
      const before = { picture: look(), frames: frames() };
      await new Promise((next) => setTimeout(next, 1000));
      const after = look();
      let changed = 0;
      for (let at = 0; at < after.length; at += 4) {
        const difference = [0, 1, 2].reduce((sum, c) => sum + Math.abs(after[at + c] - before.picture[at + c]), 0);
        if (difference > 48) changed += 1;
      }
      return {
        width: video.videoWidth,
        height: video.videoHeight,
        changed: changed / (160 * 90),
        frames: frames() - before.frames,
      };
    }, name);
  },

  /** Breaks the network under the page and mends it again. */
  async offline({ on }) {
    await context.setOffline(on);
  },

  async screenshot({ path }) {
    await page.screenshot({ path });
  },

  /** Runs an expression in the page, for what no verb offers. */
  evaluate({ expression }) {
    return page.evaluate(expression);
  },

  messages() {
    return messages;
  },

  /** What the browser itself counts of its sound, of all connections that the page has made. */
  media() {
    return page.evaluate(async () => {
      const wanted = ["media-source", "outbound-rtp", "inbound-rtp", "transport"];
      const reports = await Promise.all(window.connections.map((connection) => connection.getStats()));
      return reports.map((report) => [...report.values()].filter(({ type, kind }) => wanted.includes(type) && kind !== "video"));
    });
  },

  async quit() {
    await context.close();
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { do: verb, ...rest } = JSON.parse(line);
  let answer;
  try {
    answer = { ok: (await verbs[verb](rest)) ?? null };
  } catch (error) {
    answer = { error: `${verb}: ${error.message}\n${await meeting.getAttribute("data-state").catch(() => "no page")}\n${messages.slice(-30).join("\n")}` };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
  if (verb === "quit") break;
}
await context.close().catch(() => undefined);
process.exit(0);
