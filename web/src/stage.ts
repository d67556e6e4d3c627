// The tiles: one for everybody (initials until there is a picture), one for each shared screen.
import { element, make } from "./dom";
import { initials, type Person } from "./roster";

/** As many tiles as the deployment sends videos; more people are counted in the last tile. */
const MOST_TILES = 25;

interface Tile {
  figure: HTMLElement;
  video: HTMLVideoElement;
  avatar: HTMLElement;
  caption: HTMLElement;
}

/** A picture that the SDK gave, and where it belongs. */
interface Picture {
  tileId: number;
  attendeeId: string;
  content: boolean;
}

/** Keeps tiles in step with people and pictures. */
export class Stage {
  private readonly stage = element("stage", HTMLElement);
  private readonly rest = make("p", "tile rest");
  private readonly tiles = new Map<string, Tile>();
  private readonly pictures = new Map<number, Picture>();
  /** Tiles of people on the stage. */
  private count = 0;

  /** `bind` attaches a picture to a video element. */
  constructor(private readonly bind: (tileId: number, video: HTMLVideoElement) => void) {
    this.rest.dataset["testid"] = "tiles-rest";
    new ResizeObserver(() => this.layOut()).observe(this.stage);
  }

  /** A picture came, or its owner became known. */
  pictureCame(picture: Picture): void {
    const before = this.pictures.get(picture.tileId);
    if (before && before.attendeeId !== picture.attendeeId) this.pictureWent(picture.tileId);
    const tile = this.tile(picture.attendeeId);
    this.pictures.set(picture.tileId, picture);
    if (before?.attendeeId !== picture.attendeeId) this.project(picture, tile);
  }

  /** A picture ended; a person's tile stays, a screen's goes. */
  pictureWent(tileId: number): void {
    const picture = this.pictures.get(tileId);
    if (!picture) return;
    this.pictures.delete(tileId);
    const tile = this.tiles.get(picture.attendeeId);
    if (!tile) return;
    if (picture.content) return this.drop(picture.attendeeId);
    tile.figure.dataset["video"] = "off";
    tile.video.hidden = true;
    tile.avatar.hidden = false;
  }

  /** Draws everybody. Shared screens come first, then people with a picture, then the others. */
  show(people: readonly Person[], nameOf: (attendeeId: string) => string): void {
    const screens = [...this.pictures.values()].filter((picture) => picture.content).map((picture) => picture.attendeeId);
    const seen = new Set([...this.pictures.values()].map((picture) => picture.attendeeId));
    const ranked = [...people].sort(
      (a, b) => Number(seen.has(b.attendeeId)) - Number(seen.has(a.attendeeId)) || Number(a.self) - Number(b.self),
    );
    const fits = ranked.length + screens.length <= MOST_TILES;
    const shown = ranked.slice(0, fits ? undefined : MOST_TILES - screens.length - 1);
    const keep = new Set([...screens, ...shown.map((person) => person.attendeeId)]);
    for (const id of [...this.tiles.keys()]) if (!keep.has(id)) this.drop(id);

    for (const person of shown) this.draw(person);
    for (const id of screens) this.label(this.tile(id), `${nameOf(id)}’s screen`);
    const order = [...screens, ...shown.map((person) => person.attendeeId)].map((id) => this.tile(id).figure);
    const hidden = ranked.length - shown.length;
    this.rest.textContent = `and ${hidden} more`;
    if (hidden > 0) order.push(this.rest);
    else this.rest.remove();
    this.arrange(order);
    this.stage.dataset["screens"] = String(screens.length);
    this.count = order.length - screens.length;
    this.layOut();
  }

  clear(): void {
    for (const id of [...this.tiles.keys()]) this.drop(id);
    this.pictures.clear();
    this.rest.remove();
  }

  private layOut(): void {
    const { clientWidth, clientHeight } = this.stage;
    this.stage.style.setProperty("--columns", String(columns(this.count, clientWidth, clientHeight)));
  }

  /** Moves only what is out of place: a video that is moved in the document stutters. */
  private arrange(order: readonly HTMLElement[]): void {
    order.forEach((node, at) => {
      if (this.stage.children[at] !== node) this.stage.insertBefore(node, this.stage.children[at] ?? null);
    });
  }

  private draw(person: Person): void {
    const tile = this.tile(person.attendeeId);
    const { dataset } = tile.figure;
    dataset["name"] = person.name;
    dataset["self"] = String(person.self);
    dataset["muted"] = String(person.muted);
    dataset["speaking"] = String(person.speaking);
    dataset["activeSpeaker"] = String(person.activeSpeaker);
    const letters = initials(person.name);
    if (tile.avatar.textContent !== letters) tile.avatar.textContent = letters;
    tile.avatar.style.setProperty("--hue", String(hue(person.attendeeId)));
    this.label(tile, person.self ? `${person.name} (you)` : person.name);
  }

  private label(tile: Tile, text: string): void {
    if (tile.caption.textContent === text) return;
    tile.caption.textContent = text;
    tile.video.setAttribute("aria-label", `Video: ${text}`);
  }

  private tile(attendeeId: string): Tile {
    const known = this.tiles.get(attendeeId);
    if (known) return known;
    const video = make("video");
    video.autoplay = true;
    video.muted = true;
    video.playsInline = true;
    video.hidden = true;
    const avatar = make("div", "avatar");
    avatar.setAttribute("aria-hidden", "true");
    const caption = make("figcaption");
    const figure = make("figure", "tile", video, avatar, caption);
    figure.dataset["testid"] = "tile";
    figure.dataset["attendeeId"] = attendeeId;
    figure.dataset["video"] = "off";
    figure.dataset["content"] = "false";
    const tile = { figure, video, avatar, caption };
    this.tiles.set(attendeeId, tile);
    // A picture may come before the tile was due, or outlive it.
    for (const picture of this.pictures.values()) {
      if (picture.attendeeId === attendeeId) this.project(picture, tile);
    }
    return tile;
  }

  private project(picture: Picture, tile: Tile): void {
    tile.figure.dataset["video"] = "on";
    tile.figure.dataset["content"] = String(picture.content);
    tile.video.hidden = false;
    tile.avatar.hidden = true;
    this.bind(picture.tileId, tile.video);
  }

  private drop(attendeeId: string): void {
    this.tiles.get(attendeeId)?.figure.remove();
    this.tiles.delete(attendeeId);
  }
}

/** The number of columns that gives 16:9 pictures the most room on a stage of that width and height. */
export function columns(tiles: number, width: number, height: number): number {
  const pictureWidth = (across: number): number => {
    const down = Math.ceil(tiles / across);
    return Math.min(width / across, ((height / down) * 16) / 9);
  };
  let best = 1;
  for (let across = 2; across <= tiles; across += 1) if (pictureWidth(across) > pictureWidth(best)) best = across;
  return best;
}

/** A colour that stays with a person. */
function hue(id: string): number {
  let sum = 0;
  for (const char of id) sum = (sum * 31 + (char.codePointAt(0) ?? 0)) % 360;
  return sum;
}
