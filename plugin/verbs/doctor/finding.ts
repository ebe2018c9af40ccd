/** The result of a check. `warning`: somebody should know; `error`: the guard cannot work like this. */
export type Level = 'ok' | 'warning' | 'error';

export interface Finding {
	check: string;
	level: Level;
	/** One line that says what was found. */
	message: string;
	/** Which objects it is about, one line each. */
	details?: string[];
	/** What to do next, one line each. */
	advice?: string[];
}

const order: readonly Level[] = ['ok', 'warning', 'error'];

export function worst(levels: readonly Level[]): Level {
	return order[Math.max(0, ...levels.map((level) => order.indexOf(level)))] ?? 'ok';
}

/** "1 pod", "2 pods". */
export function count(number: number, one: string, many = `${one}s`): string {
	return `${number} ${number === 1 ? one : many}`;
}
