// The page: lobby, then room, then the end, and round again.
import { element } from "./dom";
import type { Ending } from "./ending";
import { Lobby } from "./lobby";
import { Room } from "./room";

const ended = element("ended", HTMLElement);
const title = element("ended-title", HTMLElement);
const again = element("rejoin", HTMLButtonElement);

const lobby = new Lobby((arrival) => void room.enter(arrival));
const room = new Room(showEnd);

again.addEventListener("click", () => {
  ended.hidden = true;
  void lobby.open();
});

function showEnd(ending: Ending): void {
  ended.hidden = false;
  ended.dataset["reason"] = ending.reason;
  title.textContent = ending.title;
  element("ended-text", HTMLElement).textContent = ending.text;
  again.textContent = ending.again ? "Join again" : "Join another meeting";
  title.focus();
}

void lobby.open();
