/**
 * Makes test/sim/openapi/github-runners.json: the part of GitHub's own OpenAPI description that this project's
 * calls and the simulator's answers are checked against. The npm package is too large to depend on, so run this by hand
 * to move to a newer version:
 *
 *   npm pack @octokit/openapi@23.0.2      (in a folder outside the repository; then unpack it)
 *   node scripts/openapi-extract.ts path/to/unpacked/package
 *
 * Prose (descriptions, examples, links) is left out; paths, parameters, answers and schemas are kept as they are.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type JsonObject = { [key: string]: Json };

/** Methods by path. Repositories and organizations are in GitHub.com's description, enterprises in that of GHEC. */
const wanted: Record<string, Record<string, string[]>> = {
	'api.github.com.json': {
		'/app/installations/{installation_id}/access_tokens': ['post'],
		'/rate_limit': ['get'],
		...runnerPaths('/repos/{owner}/{repo}'),
		...runnerPaths('/orgs/{org}'),
	},
	'ghec.json': runnerPaths('/enterprises/{enterprise}'),
};

function runnerPaths(prefix: string): Record<string, string[]> {
	return {
		[`${prefix}/actions/runners`]: ['get'],
		[`${prefix}/actions/runners/{runner_id}`]: ['get', 'delete'],
		[`${prefix}/actions/runners/registration-token`]: ['post'],
		[`${prefix}/actions/runners/remove-token`]: ['post'],
	};
}

const prose = new Set([
	'description',
	'summary',
	'title',
	'example',
	'examples',
	'externalDocs',
	'tags',
	'x-github',
	'x-github-breaking-changes',
	'requestBody',
	'operationId',
]);

/** Left out: repositories in the response with a token. They are large; nothing sends or reads them here. */
const cutProperties = new Set(['repositories']);

const folder = process.argv[2];
if (folder === undefined) {
	console.error('usage: node scripts/openapi-extract.ts FOLDER_OF_@octokit/openapi');
	process.exit(1);
}
const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };

const paths: JsonObject = {};
const components: Record<string, JsonObject> = {};
for (const [file, wantedPaths] of Object.entries(wanted)) {
	const document = JSON.parse(readFileSync(join(folder, 'generated', file), 'utf8')) as JsonObject;
	for (const [path, methods] of Object.entries(wantedPaths)) {
		const source = at(document, ['paths', path]);
		if (source === undefined) throw new Error(`${file} has no ${path}`);
		const operations: JsonObject = {};
		for (const method of methods) {
			const operation = at(source, [method]);
			if (operation === undefined) throw new Error(`${file} has no ${method} ${path}`);
			operations[method] = withoutProse(operation);
		}
		paths[path] = operations;
		takeReferences(operations, document);
	}
}

const extract = {
	openapi: '3.0.3',
	info: {
		title: 'Part of the GitHub v3 REST API',
		version,
		license: {
			name: 'MIT',
			'x-notice': 'Copyright (c) 2020 Octokit contributors, see LICENSE beside this file',
		},
	},
	'x-source': { package: '@octokit/openapi', version, files: Object.keys(wanted) },
	paths,
	components,
};
const target = fileURLToPath(new URL('../test/sim/openapi/github-runners.json', import.meta.url));
mkdirSync(dirname(target), { recursive: true });
const text = `${JSON.stringify(extract, null, 1)}\n`;
writeFileSync(target, text);
console.log(
	`test/sim/openapi/github-runners.json: @octokit/openapi ${version}, ${Math.ceil(text.length / 1024)} KiB`,
);

/** Copies everything that a part refers to into `components`, directly or through other references. */
function takeReferences(part: Json, document: JsonObject): void {
	if (part === null || typeof part !== 'object') return;
	if (!Array.isArray(part) && typeof part.$ref === 'string') {
		const [, , section = '', name = ''] = part.$ref.split('/');
		components[section] ??= {};
		if (components[section][name] !== undefined) return;
		const source = at(document, ['components', section, name]);
		if (source === undefined) throw new Error(`nothing at ${part.$ref}`);
		const copy = withoutProse(source);
		components[section][name] = copy;
		takeReferences(copy, document);
		return;
	}
	for (const child of Object.values(part)) takeReferences(child, document);
}

function withoutProse(part: Json, isProperties = false): Json {
	if (Array.isArray(part)) return part.map((child) => withoutProse(child));
	if (part === null || typeof part !== 'object') return part;
	const kept: JsonObject = {};
	for (const [key, value] of Object.entries(part)) {
		// Inside `properties`, "description" is the name of a field and not prose.
		if (!isProperties && prose.has(key)) continue;
		if (isProperties && cutProperties.has(key)) continue;
		kept[key] = withoutProse(value, !isProperties && key === 'properties');
	}
	return kept;
}

function at(part: Json, keys: string[]): Json | undefined {
	let current: Json | undefined = part;
	for (const key of keys) {
		if (current === undefined || current === null || typeof current !== 'object' || Array.isArray(current))
			return undefined;
		current = current[key];
	}
	return current;
}
