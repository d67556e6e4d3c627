import { expect, it } from "vitest";
import { columns } from "../src/stage";

it("lays tiles out about square", () => expect([0, 1, 2, 4, 5, 9, 10, 25].map(columns)).toEqual([1, 1, 2, 2, 3, 3, 4, 5]));
