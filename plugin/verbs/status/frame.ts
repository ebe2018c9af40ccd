import { printable } from '../../../admission/api/printable.ts';
import { redrawMs, type Screen, stdout, tickMs } from '../../print/progress.ts';

/** Lines that are redrawn in place: at most five times a second when they change, and once a second for the ages. */
export class Frame {
	readonly #render: () => readonly string[];
	readonly #screen: Screen;
	readonly #ticker: NodeJS.Timeout;
	#pending: NodeJS.Timeout | undefined;
	#drawnLines = 0;

	constructor(render: () => readonly string[], screen: Screen = stdout) {
		this.#render = render;
		this.#screen = screen;
		this.#draw();
		this.#ticker = setInterval(() => this.changed(), tickMs);
		this.#ticker.unref();
	}

	/** Redraws soon, because what `render` returns has changed. */
	changed(): void {
		this.#pending ??= setTimeout(() => this.#draw(), redrawMs);
		this.#pending.unref();
	}

	/** Stops redrawing; what was drawn last stays. */
	close(): void {
		clearTimeout(this.#pending);
		clearInterval(this.#ticker);
	}

	#draw(): void {
		this.#pending = undefined;
		const lines = this.#render();
		const fits = Math.max(1, this.#screen.rows() - 1);
		const shown = lines.slice(0, lines.length > fits ? fits - 1 : fits);
		if (shown.length < lines.length) shown.push(`... and ${lines.length - shown.length} more lines`);
		const width = this.#screen.columns() - 1; // a line of the full width would wrap, and then take two rows
		const text = shown.map((line) => `${cut(printable(line), width)}\n`).join('');
		const up = this.#drawnLines > 0 ? `\u001b[${this.#drawnLines}A\r\u001b[J` : '';
		this.#drawnLines = shown.length;
		this.#screen.write(up + text);
	}
}

function cut(line: string, width: number): string {
	return line.length > width ? `${line.slice(0, Math.max(0, width - 1))}…` : line;
}
