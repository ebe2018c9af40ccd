import { humanSpan } from '../../admission/api/duration.ts';
import { printable } from '../../admission/api/printable.ts';
import { isTerminal, print, printError } from './out.ts';

/** Shown as "TEXT for 12m: DETAIL". */
export interface WaitingLine {
	text: string;
	/** Start time in ms since 1970. On a terminal the age keeps counting; in a log a growing age is not a change. */
	sinceMs?: number | undefined;
	detail?: string | undefined;
	/** Only for a terminal, where lines are redrawn; a log does not need it. */
	redrawnOnly?: boolean;
}

/** What a Progress writes to; the default is this process's stdout. */
export interface Screen {
	/** Whether lines can be redrawn; if not, each change is printed once. */
	redraws: boolean;
	columns: () => number;
	rows: () => number;
	write: (text: string) => void;
}

export const redrawMs = 200; // at most five times a second
export const tickMs = 1000; // ages change without an event

export const stdout: Screen = {
	get redraws() {
		return isTerminal();
	},
	columns: () => process.stdout.columns || 80,
	rows: () => process.stdout.rows || 24,
	write: print,
};

/** For verbs that print data to stdout. */
export const stderr: Screen = {
	redraws: false,
	columns: () => 80,
	rows: () => 24,
	write: (text) => printError(text.trimEnd()),
};

/**
 * What is still waited for, one line each. On a terminal they are redrawn in place under the lines that stay; in a pipe
 * (CI logs) a line is printed only when its text changes.
 */
export class Progress {
	readonly #screen: Screen;
	readonly #lines = new Map<string, WaitingLine>();
	#drawnLines = 0;
	#pending: NodeJS.Timeout | undefined;
	#ticker: NodeJS.Timeout | undefined;

	constructor(screen: Screen = stdout) {
		this.#screen = screen;
	}

	/** Shows why `key` is waited for. */
	waiting(key: string, line: WaitingLine): void {
		const before = this.#lines.get(key);
		const isNew = before?.text !== line.text || before.detail !== line.detail;
		this.#lines.set(key, line);
		if (this.#screen.redraws) this.#schedule();
		else if (isNew && !line.redrawnOnly) this.#screen.write(`${wholeLine(line, Date.now())}\n`);
	}

	/** `key` is no longer waited for. */
	settled(key: string): void {
		if (this.#lines.delete(key) && this.#screen.redraws) this.#schedule();
	}

	/** Prints a line that stays. */
	say(text: string): void {
		if (!this.#screen.redraws) {
			this.#screen.write(`${printable(text)}\n`);
			return;
		}
		this.#screen.write(`${this.#eraser()}${printable(text)}\n`);
		this.#draw();
	}

	/** Stops redrawing; on a terminal the waiting lines are erased. */
	close(): void {
		clearTimeout(this.#pending);
		clearInterval(this.#ticker);
		this.#pending = undefined;
		this.#ticker = undefined;
		this.#lines.clear();
		if (this.#drawnLines > 0) this.#screen.write(this.#eraser());
	}

	#schedule(): void {
		this.#ticker ??= setInterval(() => this.#draw(), tickMs).unref();
		this.#pending ??= setTimeout(() => {
			this.#pending = undefined;
			this.#draw();
		}, redrawMs).unref();
	}

	#draw(): void {
		const fits = Math.max(1, this.#screen.rows() - 2);
		const lines = [...this.#lines.values()];
		const shown = lines.slice(0, lines.length > fits ? fits - 1 : fits).map((line) => this.#render(line));
		if (shown.length < lines.length) shown.push(`... and ${lines.length - shown.length} more`);
		this.#screen.write(this.#eraser() + shown.map((line) => `${line}\n`).join(''));
		this.#drawnLines = shown.length;
	}

	#render(line: WaitingLine): string {
		const whole = wholeLine(line, Date.now());
		const width = this.#screen.columns() - 1; // a line of the full width would wrap, and then take two rows
		return whole.length > width ? `${whole.slice(0, width - 1)}…` : whole;
	}

	/** Moves the cursor to the first drawn line and clears from there. */
	#eraser(): string {
		if (this.#drawnLines === 0) return '';
		const up = `\u001b[${this.#drawnLines}A\r\u001b[J`;
		this.#drawnLines = 0;
		return up;
	}
}

function wholeLine({ text, sinceMs, detail }: WaitingLine, nowMs: number): string {
	const age = sinceMs === undefined ? '' : ` for ${humanSpan(nowMs - sinceMs)}`;
	return printable(`${text}${age}${detail ? `: ${detail}` : ''}`);
}
