import { pino } from 'pino';

export type Log = pino.Logger;

export type LogFormat = 'json' | 'text';

/** One line an event, on stderr. `text` is for people: `12:01:02 INFO message key=value`. */
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
		([key, value]) => `${key}=${isPlain(value) ? value : JSON.stringify(value)}`,
	);
	return `${[time.slice(11, 23), level.toUpperCase(), msg, ...pairs].filter(Boolean).join(' ')}\n`;
}

/** A line break in a value (an annotation's, say) would make a log line of anybody's choice. */
const isPlain = (value: unknown): value is string => typeof value === 'string' && !/\p{Cc}/u.test(value);
