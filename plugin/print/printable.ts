// Control characters, both sets: an annotation may hold what would move the cursor or recolour the terminal.
const control = /\p{Cc}/u;
const everyControl = /\p{Cc}/gu;

/** Text from the cluster, safe to show on one line of a terminal. */
export function printable(text: string): string {
	return control.test(text) ? text.replace(everyControl, '?') : text;
}
