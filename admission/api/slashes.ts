/** The text without slashes at its end, in one pass: `/\/+$/` would begin anew at each slash of a long row. */
export function withoutEndSlashes(text: string): string {
	let end = text.length;
	while (text[end - 1] === '/') end -= 1;
	return text.slice(0, end);
}
