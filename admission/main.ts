import manifest from '../package.json' with { type: 'json' };
import { BadSetting, readSettings } from './flags.ts';
import { serve } from './serve.ts';
import { createLog } from './telemetry/log.ts';

/** Configuration errors print one line; anything else that ends the server is a bug and prints a stack. */
async function main(): Promise<number> {
	let settings: ReturnType<typeof readSettings>;
	try {
		settings = readSettings(process.argv.slice(2), process.env, manifest.version);
	} catch (error) {
		if (!(error instanceof BadSetting)) throw error;
		process.stderr.write(`error: ${error.message}\n`);
		return 1;
	}
	const log = createLog(settings.logLevel, settings.logFormat);
	const stop = new AbortController();
	for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort());
	try {
		await serve({ settings, env: process.env, version: manifest.version, log }, stop.signal);
		return 0;
	} catch (error) {
		log.fatal({ error: error instanceof Error ? error.message : String(error) }, 'can not run');
		return 1;
	}
}

process.exitCode = await main();
