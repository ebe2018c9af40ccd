/**
 * What must not reach a terminal in text that others wrote: control characters of both sets, which can move the cursor,
 * recolour, or set the window's title; line and paragraph separators; and marks that turn the direction of text round, so
 * that a name reads as another.
 */
const forbidden = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;
const space = /[\t-\r\u0085\p{Zl}\p{Zp}]+/gu;
const everyForbidden = new RegExp(forbidden, 'gu');

/** Text from the cluster, from GitHub or from a user, safe to show on one line: white space is a space, the rest `?`. */
export function printable(text: string): string {
	return forbidden.test(text) ? text.replace(space, ' ').replace(everyForbidden, '?').trim() : text;
}

/** `1 runner`, `2 runners`. */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
