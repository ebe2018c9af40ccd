import { pino } from 'pino';
import { printable } from '../api/printable.ts';

export type Log = pino.Logger;

export type LogFormat = 'json' | 'text';

/** A log that writes one line for each event to stderr. The format `text` is for people: `12:01:02 INFO message key=value`. */
export function createLog(level: string, format: LogFormat): Log {
	const options: pino.LoggerOptions = {
		level,
		base: undefined,
		timestamp: pino.stdTimeFunctions.isoTime,
		formatters: { level: (label) => ({ level: label }) },
	};
	return format === 'json'
		? pino(options, process.stderr)
		: pino(options, { write: (line) => process.stderr.write(asText(line)) });
}

function asText(line: string): string {
	const { level, time, msg, ...rest } = JSON.parse(line) as { level: string; time: string; msg?: string };
	const pairs = Object.entries(rest).map(
		([key, value]) => `${key}=${printable(isPlain(value) ? value : JSON.stringify(value))}`,
	);
	return `${[time.slice(11, 23), level.toUpperCase(), msg, ...pairs].filter(Boolean).join(' ')}\n`;
}

/** Whether the text may be printed without quotes. A line break, in an annotation for example, could forge a log line. */
const isPlain = (value: unknown): value is string => typeof value === 'string' && !/\p{Cc}/u.test(value);
