import { expect, it } from "vitest";
import { columns } from "../src/stage";

it("puts tiles side by side on a wide stage", () => {
  expect([0, 1, 2, 4, 6, 9, 25].map((tiles) => columns(tiles, 1600, 700))).toEqual([1, 1, 2, 2, 3, 3, 5]);
});

it("puts two people one above the other where that shows more of them", () => {
  expect(columns(2, 750, 590)).toBe(1);
});

it("keeps to one column on a narrow stage until it is full", () => {
  expect([1, 2, 3].map((tiles) => columns(tiles, 390, 800))).toEqual([1, 1, 1]);
  expect(columns(8, 390, 800)).toBe(2);
});
