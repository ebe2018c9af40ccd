import { pino } from 'pino';
import type { Log } from '../../../admission/telemetry/log.ts';

/** A log whose lines a test can read, as `warn what was said`. */
export function recordingLog(level: 'debug' | 'info' | 'warn' = 'info'): { log: Log; lines: string[] } {
	const lines: string[] = [];
	const write = (line: string) => {
		const { level: number, msg } = JSON.parse(line) as { level: number; msg: string };
		lines.push(`${pino.levels.labels[number]} ${msg}`);
	};
	return { log: pino({ level }, { write }), lines };
}
