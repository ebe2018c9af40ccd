/** Takes one line for people: progress of something that takes seconds. */
export type Log = (line: string) => void;

/** 92_000 ms is "1m32s"; 3_140 ms is "3s". */
export function formatElapsed(ms: number): string {
	const seconds = Math.round(ms / 1000);
	return seconds < 60
		? `${seconds}s`
		: `${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, '0')}s`;
}
