import { spawn } from 'node:child_process';
import { styleText } from 'node:util';

const colour = process.stdout.isTTY && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
const paint = (style: 'bold' | 'cyan' | 'dim' | 'green' | 'red', text: string) =>
	colour ? styleText(style, text) : text;

export const say = (text = '') => console.log(paint('bold', text));
export const note = (text: string) => console.log(paint('dim', text));
export const good = (text: string) => console.log(paint('green', text));
export const bad = (text: string) => console.log(paint('red', text));

/** Shows a command and what it prints, as it prints it. Resolves with its exit code. */
export function type(commandLine: string[], env: NodeJS.ProcessEnv, prefix = '  '): Promise<number> {
	console.log(`${prefix}${paint('cyan', `$ ${commandLine.join(' ')}`)}`);
	return new Promise((resolve, reject) => {
		const [command = '', ...args] = commandLine;
		const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
		for (const stream of [child.stdout, child.stderr]) {
			let rest = '';
			stream.setEncoding('utf8').on('data', (chunk: string) => {
				const lines = (rest + chunk).split('\n');
				rest = lines.pop() ?? '';
				for (const line of lines) if (line.trim()) console.log(prefix + line);
			});
			stream.on('end', () => rest.trim() && console.log(prefix + rest));
		}
		child.once('error', reject);
		child.once('close', (code) => resolve(code ?? 1));
	});
}
