/**
 * Generates test/sim/openapi/github-runners.json and github-events.json: the parts of GitHub's own OpenAPI description
 * that this project's calls, and the simulator's answers and events, are checked against. The npm packages are too
 * large to depend on, so run this by hand to move to a newer version:
 *
 *   npm pack @octokit/openapi@23.0.2 @octokit/openapi-webhooks@12.1.0   (outside the repository; then unpack both)
 *   node scripts/openapi-extract.ts path/to/openapi path/to/openapi-webhooks
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
		'/repos/{owner}/{repo}/actions/jobs/{job_id}': ['get'],
		'/repos/{owner}/{repo}/actions/runs': ['get'],
		'/repos/{owner}/{repo}/actions/runs/{run_id}/jobs': ['get'],
		'/repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}/jobs': ['get'],
		...deliveryPaths('/repos/{owner}/{repo}'),
		...deliveryPaths('/orgs/{org}'),
		'/orgs/{org}/repos': ['get'],
		'/orgs/{org}/actions/runner-groups': ['get'],
	},
	'ghec.json': {
		...runnerPaths('/enterprises/{enterprise}'),
		'/enterprises/{enterprise}/actions/runner-groups': ['get'],
	},
};

function runnerPaths(prefix: string): Record<string, string[]> {
	return {
		[`${prefix}/actions/runners`]: ['get'],
		[`${prefix}/actions/runners/{runner_id}`]: ['get', 'delete'],
		[`${prefix}/actions/runners/registration-token`]: ['post'],
		[`${prefix}/actions/runners/remove-token`]: ['post'],
	};
}

function deliveryPaths(prefix: string): Record<string, string[]> {
	return {
		[`${prefix}/hooks/{hook_id}/deliveries`]: ['get'],
		[`${prefix}/hooks/{hook_id}/deliveries/{delivery_id}`]: ['get'],
		[`${prefix}/hooks/{hook_id}/deliveries/{delivery_id}/attempts`]: ['post'],
	};
}

const wantedEvents = ['queued', 'waiting', 'in-progress', 'completed'].map(
	(action) => `webhook-workflow-job-${action}`,
);

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

/** Left out: large parts of an answer with a token and of events, which nothing sends or reads here. */
const cutProperties = new Set(['repositories', 'deployment', 'enterprise', 'installation']);

const [, , folder, eventsFolder] = process.argv;
if (folder === undefined || eventsFolder === undefined) {
	console.error('usage: node scripts/openapi-extract.ts FOLDER_OF_@octokit/openapi FOLDER_OF_...-webhooks');
	process.exit(1);
}

const paths: JsonObject = {};
let components: Record<string, JsonObject> = {};
for (const [file, wantedPaths] of Object.entries(wanted)) {
	const document = documentOf(folder, file);
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

write('github-runners.json', 'openapi', folder, Object.keys(wanted), paths);

components = {};
const eventsFile = 'api.github.com.json';
takeReferences(
	wantedEvents.map((name) => ({ $ref: `#/components/schemas/${name}` })),
	documentOf(eventsFolder, eventsFile),
);
write('github-events.json', 'openapi-webhooks', eventsFolder, [eventsFile], {});

function documentOf(from: string, file: string): JsonObject {
	return JSON.parse(readFileSync(join(from, 'generated', file), 'utf8')) as JsonObject;
}

function write(name: string, from: string, path: string, files: string[], paths: JsonObject): void {
	const { version } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as { version: string };
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
		'x-source': { package: `@octokit/${from}`, version, files },
		paths,
		components,
	};
	const target = fileURLToPath(new URL(`../test/sim/openapi/${name}`, import.meta.url));
	mkdirSync(dirname(target), { recursive: true });
	const text = `${JSON.stringify(extract, null, 1)}\n`;
	writeFileSync(target, text);
	const size = Math.ceil(text.length / 1024);
	console.log(`test/sim/openapi/${name}: @octokit/${from} ${version}, ${size} KiB`);
}

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
