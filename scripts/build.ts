/**
 * Builds dist/: `node scripts/build.ts [plugin] [admission]`; without arguments it builds both. It prints the sizes,
 * and fails if what `list` loads is larger than its limit, because its size determines how fast the plugin starts.
 */
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { creationPolicy } from '../plugin/installation/creation-policy.ts';
import { overlayNames, readComponent, readOverlay } from './manifests/overlays.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

/** In bytes: what `list` loads, the entry and its bundle together. It determines how fast `list` starts. */
const listLimit = 72_000;

/**
 * In bytes. Loaded code stays in memory about four times over: text, syntax trees while it is parsed, functions. A text
 * that is not only ASCII takes two bytes for each character.
 */
const serverLimit = 1_100_000;

/**
 * The schemas of the contract (admission/api/schema) are only used for their types: no bundle contains them or typebox.
 */
const schemasAreTypes: Plugin = {
	name: 'schemas-are-types',
	setup(setup) {
		setup.onResolve({ filter: /^typebox$/ }, ({ importer }) => ({
			errors: [{ text: `${importer} must not be in a bundle: import only types from admission/api/schema` }],
		}));
	},
};

const shared: BuildOptions = {
	absWorkingDir: root,
	bundle: true,
	format: 'esm',
	platform: 'node',
	minify: true,
	legalComments: 'none',
	logLevel: 'warning',
	define: { __VERSION__: JSON.stringify(version) },
	plugins: [schemasAreTypes],
};

/**
 * Packages that are left out of the bundles, and what replaces each. The code that imports them is run from the built
 * bundle in a test: test/unit/bundle/ for the server, test/unit/plugin/bundle.test.ts for the plugin.
 */
const replacedInPlugin = {
	// Only cleye's own help needs these two, which are a third of what `list` loads. The plugin prints its help itself.
	ansis: './admission/cli/unused-by-cleye.ts',
	'terminal-columns': './admission/cli/unused-by-cleye.ts',
} as const;

export const replacedInServer = {
	...replacedInPlugin,
	undici: './admission/kube/unused-undici.ts',
	'body-parser': './admission/webhook/unused-body-parser.ts',
	// A list of all media types; express needs only these.
	'mime-db': './admission/webhook/media-types.json',
	'@octokit/plugin-paginate-rest': './admission/github/unused-octokit-plugins.ts',
	'@octokit/plugin-request-log': './admission/github/unused-octokit-plugins.ts',
	'@octokit/plugin-rest-endpoint-methods': './admission/github/unused-octokit-plugins.ts',
} as const;

/** An ESM bundle has no `require`, but CommonJS modules in it call it. */
const requireShim =
	"import{createRequire as $createRequire}from'node:module';const require=$createRequire(import.meta.url);";

/**
 * The plugin's bundles are CommonJS: an import of a Node module reads every name that it exports, which loads a good part
 * of Node, and `require` does not.
 */
const pluginShared: BuildOptions = {
	...shared,
	format: 'cjs',
	target: 'node20',
	define: {
		...shared.define,
		'import.meta.filename': '__filename',
		__YAML_BUNDLE__: JSON.stringify('kubectl-runners-yaml.cjs'),
	},
	alias: replacedInPlugin,
};

/**
 * The entry has no file extension, so a package.json above its folder decides whether Node reads it as CommonJS or as
 * an ES module. With this wrapper it works as both.
 */
const entryBanner = [
	'#!/usr/bin/env node',
	'{const $file=process.getBuiltinModule("node:fs").realpathSync(process.argv[1]);',
	'const require=process.getBuiltinModule("node:module").createRequire($file);',
].join('\n');

/** The files next to the entry, each a separate bundle: loading what a command does not need would delay its start. */
export type Companion = 'list' | 'verbs' | 'yaml' | 'install' | 'auth';

/** Builds dist/kubectl-runners and the files that it loads. Needs neither a cluster nor the network. */
export async function buildPlugin(
	outFolder = join(root, 'dist'),
	log: (line: string) => void = console.log,
): Promise<void> {
	mkdirSync(outFolder, { recursive: true });
	removeEarlier(outFolder);
	const entry = join(outFolder, 'kubectl-runners');
	await build({
		...pluginShared,
		entryPoints: ['plugin/main.ts'],
		outfile: entry,
		define: { ...shared.define, 'import.meta.filename': '$file' },
		banner: { js: entryBanner },
		footer: { js: '}' },
	});
	makeExecutable(entry);

	const companions: Record<Companion, BuildOptions> = {
		list: { entryPoints: ['plugin/verbs/list/main.ts'] },
		verbs: { entryPoints: ['plugin/verbs/main.ts'] },
		yaml: { entryPoints: ['plugin/yaml/main.ts'] },
		install: {
			entryPoints: ['plugin/installation/main.ts'],
			define: { ...pluginShared.define, __OVERLAYS__: JSON.stringify(readOverlays()) },
		},
		auth: {
			entryPoints: ['plugin/auth/main.ts'],
			target: 'node22',
			plugins: [schemasAreTypes, clientNodeIsPure],
		},
	};
	const files = [entry];
	for (const [name, options] of Object.entries(companions)) {
		const outfile = join(outFolder, `kubectl-runners-${name}.cjs`);
		await build({ ...pluginShared, ...options, outfile });
		files.push(outfile);
	}

	const completion = join(outFolder, 'kubectl_complete-runners');
	copyFileSync(join(root, 'plugin/verbs/completion/kubectl_complete-runners'), completion);
	makeExecutable(completion);

	for (const file of [...files, completion]) log(sizeLine(file));
	const loadedByList = ['kubectl-runners', 'kubectl-runners-list.cjs'].map((name) => join(outFolder, name));
	const size = loadedByList.reduce((sum, file) => sum + statSync(file).size, 0);
	if (size > listLimit) throw new Error(`list loads ${size} bytes, ${size - listLimit} over its limit`);
}

/** A bundle that is no longer built would be packed with the others. */
function removeEarlier(folder: string): void {
	for (const name of readdirSync(folder)) if (name.startsWith('kubectl-runners')) rmSync(join(folder, name));
}

/** The objects of each overlay, by its name, and of the policy beside them: what `kubectl runners install` applies. */
function readOverlays(): Record<string, object[]> {
	const objects = overlayNames.map((name) => [name, readOverlay(name)]);
	return Object.fromEntries([...objects, [creationPolicy, readComponent(creationPolicy)]]);
}

/**
 * Builds the server, with dist/runners-admission, a launcher that looks for a Node that is new enough. The code that
 * issues certificates is a separate file, because few servers ever load it, and Node keeps the whole text of each file
 * that it has loaded.
 */
export async function buildAdmission(outFolder = join(root, 'dist')): Promise<void> {
	mkdirSync(outFolder, { recursive: true });
	const admission: BuildOptions = { ...shared, target: 'node22', banner: { js: requireShim } };
	const server = join(outFolder, 'runners-admission.mjs');
	await build({
		...admission,
		entryPoints: ['admission/main.ts'],
		outfile: server,
		alias: replacedInServer,
		plugins: [schemasAreTypes, clientNodeIsPure, issueIsBeside],
	});
	const issue = join(outFolder, issueFile);
	await build({ ...admission, entryPoints: ['admission/certificates/issue.ts'], outfile: issue });
	const launcher = join(outFolder, 'runners-admission');
	copyFileSync(join(root, 'admission/bin/runners-admission'), launcher);
	makeExecutable(launcher);
	for (const file of [launcher, server, issue]) console.log(sizeLine(file));
	const text = readFileSync(server, 'utf8');
	if (text.length > serverLimit || Buffer.byteLength(text) > text.length)
		throw new Error(`${server} is over its limit of ${serverLimit} bytes, or not only ASCII`);
}

const issueFile = 'runners-admission-certificates.mjs';

const issueIsBeside: Plugin = {
	name: 'issue-is-beside',
	setup(setup) {
		setup.onResolve({ filter: /^\.\/issue\.ts$/ }, ({ kind }) =>
			kind === 'dynamic-import' ? { path: `./${issueFile}`, external: true } : undefined,
		);
	},
};

/**
 * client-node does not declare that its modules have no side effects. Without this plugin its whole generated API would
 * be bundled and loaded because KubeConfig is imported: 0.6 MB, and 10 MiB of resident memory.
 */
const clientNodeIsPure: Plugin = {
	name: 'client-node-is-pure',
	setup(setup) {
		setup.onResolve({ filter: /^@kubernetes\/client-node$|^\./ }, async ({ path, pluginData, ...args }) => {
			const ours = path.startsWith('@') || args.importer.includes('@kubernetes/client-node/dist/');
			if (pluginData === 'resolving' || !ours) return undefined;
			const found = await setup.resolve(path, { ...args, pluginData: 'resolving' });
			return { ...found, sideEffects: false };
		});
	},
};

const targets: Record<string, () => Promise<void>> = {
	plugin: () => buildPlugin(),
	admission: () => buildAdmission(),
};

function makeExecutable(file: string): void {
	chmodSync(file, 0o755);
}

function sizeLine(file: string): string {
	const kilobytes = (statSync(file).size / 1000).toFixed(1);
	return `${kilobytes.padStart(8)} kB  ${file.replace(root, '')}`;
}

async function main(names: string[]): Promise<void> {
	for (const name of names.length > 0 ? names : Object.keys(targets)) {
		const target = targets[name];
		if (!target) throw new Error(`unknown target "${name}"; there are: ${Object.keys(targets).join(', ')}`);
		await target();
	}
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv.slice(2));
