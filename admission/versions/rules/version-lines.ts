/**
 * What a runner says of its own version, on its standard output. Read in actions/runner v2.336.0:
 * - src/Runner.Listener/Runner.cs:490 prints `Current runner version: '2.336.0'` before it listens;
 * - src/Runner.Listener/Program.cs:142-147 prints `An error occurred: MESSAGE` where GitHub refuses it (AccessDenied, code 1),
 *   and ends with 7 if ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE asks for that (Constants.cs:162 and 313, from
 *   v2.333.0 on), else with 1, of which run.sh makes 0;
 * - MESSAGE is GitHub's: `Runner version v2.320.0 is deprecated and cannot receive messages.`, also after `Error: Forbidden `
 *   (actions/runner #3486, #4613). Runners before v2.334 print "occured" (#3366).
 */
interface VersionLines {
	/** The version that it says it has; undefined: the lines that were read do not tell. */
	version: string | undefined;
	/** GitHub refuses that version, as its log says. */
	refused: boolean;
}

const number = String.raw`\d{1,5}\.\d{1,5}\.\d{1,7}`;
/** A whole line each: what a job prints does not reach this log, and a longer line of an image's own script is no such line. */
const current = new RegExp(`^Current runner version: '(${number})'\\r?$`, 'gm');
const refusal = new RegExp(
	`^An error occurr?ed: (?:Error: )?(?:Forbidden )?Runner version v(${number}) is deprecated and cannot receive messages\\.?\\r?$`,
	'gm',
);

/** What the last of these lines say. A runner that has updated itself since GitHub refused it is not refused any more. */
export function readVersionLines(text: string): VersionLines {
	const [said, saidAt] = last(text, current);
	const [refused, refusedAt] = last(text, refusal);
	const updated = saidAt > refusedAt && said !== refused;
	return refused === undefined || updated
		? { version: said, refused: false }
		: { version: refused, refused: true };
}

function last(text: string, line: RegExp): [version: string | undefined, at: number] {
	let found: [string | undefined, number] = [undefined, -1];
	for (const match of text.matchAll(line)) found = [match[1], match.index];
	return found;
}

/** Whether the version `one` is older than `other`: numbers are compared one by one, `2.9.0` is older than `2.10.0`. */
export function isOlder(one: string, other: string): boolean {
	const [a, b] = [one.split('.').map(Number), other.split('.').map(Number)];
	const differs = a.findIndex((part, index) => part !== b[index]);
	return differs !== -1 && (a[differs] ?? 0) < (b[differs] ?? 0);
}
