/** `make demo-down`. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const file = join(fileURLToPath(new URL('../../.demo', import.meta.url)), 'running.json');
if (!existsSync(file)) {
	console.log('The demo is not up.');
} else {
	const { pid } = JSON.parse(await readFile(file, 'utf8')) as { pid: number };
	try {
		process.kill(pid, 'SIGTERM');
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
	}
	const deadline = Date.now() + 30_000;
	while (existsSync(file) && Date.now() < deadline) await sleep(100);
	console.log(existsSync(file) ? `The demo's process ${pid} has not ended yet.` : 'The demo is down.');
}
