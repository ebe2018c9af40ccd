/** GitHub's own OpenAPI description, which the simulator's answers and events are held against (scripts/openapi-extract.ts). */
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import * as assert from 'uvu/assert';

interface Operation {
	parameters?: { $ref?: string; name?: string; in?: string }[];
	responses: Record<
		string,
		{ $ref?: string; content?: Record<string, { schema: object }>; headers?: object }
	>;
}
export const description = read('github-runners.json') as {
	paths: Record<string, Record<string, Operation>>;
	components: { responses: Record<string, { content?: Record<string, { schema: object }> }> };
};

const ajv = new Ajv({ strict: false, allErrors: true });
ajv.addFormat('date-time', (text) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text));
ajv.addFormat('uri', (text) => URL.canParse(text));
ajv.addFormat('int64', true);
ajv.addFormat('email', true);
ajv.addSchema({ ...description, $id: 'github' });
ajv.addSchema({ ...(read('github-events.json') as object), $id: 'events' });

/** Fails unless GitHub's description has this status for this call, and the body fits its schema. */
export function conforms(path: string, method: string, reply: { status: number; body: unknown }): void {
	const operation = description.paths[path]?.[method];
	assert.ok(operation, `${method} ${path} is described`);
	const described = operation.responses[reply.status];
	assert.ok(described, `${method} ${path}: ${reply.status} is described`);
	const name = described.$ref?.split('/').pop();
	const answer = name === undefined ? described : description.components.responses[name]!;
	const content = answer.content?.['application/json'];
	if (content === undefined) {
		assert.is(reply.body, '', `${method} ${path}: ${reply.status} has no body`);
		return;
	}
	const pointer = name
		? `#/components/responses/${name}/content/application~1json/schema`
		: `#/paths/${path.replaceAll('/', '~1').replaceAll('{', '%7B').replaceAll('}', '%7D')}/${method}/responses/${reply.status}/content/application~1json/schema`;
	const validate = ajv.compile({ $ref: `github${pointer}` });
	if (validate(reply.body)) return;
	throw new Error(`${method} ${path} ${reply.status}: ${ajv.errorsText(validate.errors)}`);
}

/** Fails unless the body is that of a `workflow_job` event as GitHub describes it. */
export function isEvent(action: string, body: unknown): void {
	const name = `webhook-workflow-job-${action.replace('_', '-')}`;
	const validate = ajv.compile({ $ref: `events#/components/schemas/${name}` });
	if (validate(body)) return;
	throw new Error(`${name}: ${ajv.errorsText(validate.errors)}`);
}

function read(name: string): unknown {
	return JSON.parse(readFileSync(new URL(`../../sim/openapi/${name}`, import.meta.url), 'utf8'));
}
