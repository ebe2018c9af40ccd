import manifest from '../package.json' with { type: 'json' };
import { printable } from './api/printable.ts';
import { UsageError } from './cli/argv.ts';
import { stderr, stdout, writeAll } from './cli/write-all.ts';
import { type CommandLine, program, readCommandLine, renderHelp } from './command-line.ts';
import { readSettings, type Settings } from './flags.ts';
import { serve } from './serve.ts';
import { createLog } from './telemetry/log.ts';

/** As a shell's own commands end where they are used wrongly. */
const usageExitCode = 2;

/** A wrong command line gets two lines; any other error that ends the server is a bug and prints a stack. */
async function main(argv: readonly string[]): Promise<number> {
	let given: CommandLine;
	let settings: Settings;
	try {
		given = readCommandLine(argv);
		if (given.help) return show(renderHelp());
		if (given.version) return show(`${manifest.version}\n`);
		settings = readSettings(given.values, process.env);
	} catch (error) {
		if (!(error instanceof UsageError)) throw error;
		writeAll(stderr, `error: ${printable(error.message)}\n${program} --help lists the flags\n`);
		return usageExitCode;
	}
	return run(settings);
}

function show(text: string): number {
	writeAll(stdout, text);
	return 0;
}

async function run(settings: Settings): Promise<number> {
	const log = createLog(settings.logLevel, settings.logFormat);
	const stop = new AbortController();
	for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort());
	try {
		await serve({ settings, env: process.env, version: manifest.version, log }, stop.signal);
		return 0;
	} catch (error) {
		log.fatal({ error: error instanceof Error ? error.message : String(error) }, 'cannot run');
		return 1;
	}
}

process.exitCode = await main(process.argv.slice(2));
