/**
 * Checks the layout that README describes: `node scripts/check/structure.ts`. Fails on an import from a lower layer of
 * admission/ to a higher one, on files that import each other in a circle, on a clock, randomness or a call of what is not
 * pure in pure code, on time and chance that do not come from the Clock, and on a limit of the plugin's that Node's
 * timers may not be able to wait for.
 */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const project = join(import.meta.dirname, '../..');

/** From bottom to top. A folder or file imports only from its own entry and from lower layers. */
const layers: readonly (readonly string[])[] = [
	['api', 'time'],
	['cli', 'runner', 'telemetry'],
	['kube', 'github', 'webhook'],
	['capability.ts'],
	['cluster', 'certificates'],
	['jobs'],
	['versions'],
	['guard', 'arc', 'post-mortems'],
	['sets'],
	['autoscale', 'command-line.ts'],
	['leader', 'flags.ts'],
	['compose'],
	['serve.ts'],
	['main.ts'],
];

/**
 * Code that decides on plain data: the time and everything random is passed in. The text of a script does not count.
 */
const pure = /^admission\/(?!jobs\/hooks\/rules\/script\.ts$)(api|runner|[^/]+(?:\/[^/]+){0,2}\/rules)\//;
const impure =
	/\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bperformance\.|\bset(?:Timeout|Interval|Immediate)\(|\bprocess\.(?:env|argv|exit|hrtime|uptime)|\bfetch\(/;

/** Pure as well, though it stands elsewhere: what counts the times it is given, how a pod is laid out, the shapes of a review, the text of a script. */
const pureToo =
	/\/policy\.ts$|^admission\/(time\/(bounded-map|sliding-window|fixed-window)\.ts$|sets\/pod\/|webhook\/review\.ts$|jobs\/hooks\/rules\/)/;

/**
 * Time passes and chance falls by the Clock that a file is given, so that tests and simulations can let a day pass in an
 * instant. (Keys of certificates are another matter: the library that makes them takes no source of randomness.)
 */
const ownTime =
	/\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bperformance\.|(?<![.\w])set(?:Timeout|Interval|Immediate)\(|\bAbortSignal\.timeout\(|\btimers(?:\/promises)?\b'|\brandom(?:Int|UUID|Bytes)\b|\bprocess\.(?:hrtime|uptime)|\bhrtime\b/;
/** Where they come from. */
const mayHaveOwnTime: ReadonlySet<string> = new Set([
	'admission/time/system-clock.ts', // the Clock itself
	'admission/time/give-way.ts', // it waits for no time, only for its turn
	'admission/serve.ts', // the composition root: it hands out clock and randomness, and names this process
	'admission/jobs/hooks/rules/script.ts', // the text of a script that runs in runner pods
]);

const problems: string[] = [];
const imports = new Map<string, string[]>();
for (const file of globSync('{admission,plugin,scripts,test}/**/*.ts', { cwd: project })) {
	const text = readFileSync(join(project, file), 'utf8');
	const targets = [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+\.ts)'/g)].map(([, path = '']) =>
		relative(project, join(project, dirname(file), path)),
	);
	imports.set(file, targets);
	if (file.startsWith('plugin/') && file !== 'plugin/kube/deadline.ts')
		checkLines(file, text, /\bAbortSignal\.timeout\(/, 'limits come from plugin/kube/deadline.ts');
	if (!file.startsWith('admission/')) continue;
	for (const target of targets) checkLayer(file, target);
	if (pure.test(file)) {
		checkLines(file, text, impure, 'pure code gets the time and everything else as arguments');
		checkPureImports(file, text);
	}
	if (!mayHaveOwnTime.has(file))
		checkLines(file, text, ownTime, 'time and chance come from the Clock (time/clock.ts), or are passed in');
}
for (const circle of circles())
	problems.push(`these files import each other in a circle: ${circle.join(' -> ')}`);

for (const problem of problems) console.error(problem);
if (problems.length === 0)
	console.log(`structure: ${imports.size} files, ${layers.length} layers in admission/, no circle`);
process.exitCode = problems.length > 0 ? 1 : 0;

function checkLayer(file: string, target: string): void {
	const [from, to] = [entryOf(file), entryOf(target)];
	if (to === undefined) return; // package.json, or a test's
	const [fromLayer, toLayer] = [layerOf(from), layerOf(to)];
	if (fromLayer === -1) problems.push(`${file}: ${from} is in no layer of scripts/check/structure.ts`);
	else if (from !== to && toLayer >= fromLayer)
		problems.push(`${file} imports ${target}: ${to} is not in a lower layer than ${from}`);
}

function checkLines(file: string, text: string, forbidden: RegExp, why: string): void {
	for (const [index, line] of text.split('\n').entries()) {
		const found = forbidden.exec(line);
		if (found) problems.push(`${file}:${index + 1} uses ${found[0]}: ${why}`);
	}
}

/** What pure code calls is pure as well. Types may come from anywhere. */
function checkPureImports(file: string, text: string): void {
	for (const [, names = '', path = ''] of text.matchAll(
		/^(?:import|export) (?!type\b)([^;]*?) from '(\.{1,2}\/[^']+\.ts)';/gm,
	)) {
		const target = relative(project, join(project, dirname(file), path));
		const onlyTypes =
			/^\{[^}]*\}$/.test(names.trim()) &&
			names.split(',').every((name) => /^[{\s]*(type\b.*)?[}\s]*$/.test(name));
		if (!onlyTypes && !pure.test(target) && !pureToo.test(target))
			problems.push(`${file} imports ${target}: pure code calls only pure code`);
	}
}

/** `admission/kube/client.ts` -> `kube`; undefined outside admission/. */
function entryOf(file: string): string | undefined {
	const [top, entry] = file.split('/');
	return top === 'admission' ? entry : undefined;
}

function layerOf(entry: string | undefined): number {
	return layers.findIndex((layer) => entry !== undefined && layer.includes(entry));
}

/** Each circle once, as the files along it. */
function circles(): string[][] {
	const found: string[][] = [];
	const done = new Set<string>();
	const walk = (file: string, path: string[]): void => {
		const at = path.indexOf(file);
		if (at !== -1) {
			found.push([...path.slice(at), file]);
			return;
		}
		if (done.has(file)) return;
		for (const target of imports.get(file) ?? []) walk(target, [...path, file]);
		done.add(file);
	};
	for (const file of imports.keys()) walk(file, []);
	return found;
}
