/** What people read of a file: found, joined, and put under the right kind. */
import * as assert from 'uvu/assert';
import { literals } from '../../../scripts/prose/literals.ts';
import { sentencesOf } from '../../../scripts/prose/sentences.ts';
import { suite } from '../../support/suite.ts';

const test = suite('sentences');
const read = (file: string, source: string) =>
	sentencesOf(file, source).map(({ kind, line, text }) => `${kind} ${line}: ${text}`);

const rows: [what: string, file: string, source: string, expected: string[]][] = [
	[
		'a description, beside its field',
		'admission/api/schema/a.ts',
		"const spec = object('What is wanted.', {\n\tname: text('Its full name.'),\n});",
		['resource 1: spec: What is wanted.', 'resource 2: name: Its full name.'],
	],
	[
		'a condition, beside its type and reason',
		'admission/sets/a.ts',
		`return [{ type: 'SpecInvalid', reason: 'NoName', message: \`the field \${field} is missing\` }];`,
		[`condition 1: SpecInvalid NoName: the field \${field} is missing`],
	],
	[
		'a denial, beside its reason',
		'admission/guard/a.ts',
		"const summaries = { 'scope-unknown': 'its scope is unknown' };",
		['denial 1: scope-unknown: its scope is unknown'],
	],
	[
		'an Event',
		'admission/jobs/a.ts',
		"events.send(pod, 'Warning', 'JobLost', 'Delete', 'its job is lost');",
		['event 1: Warning JobLost Delete: its job is lost'],
	],
	[
		'a line of the log, also one of two',
		'admission/jobs/a.ts',
		"this.#log.warn({ error: 'of a kind' }, late ? 'it came late' : 'it never came');",
		['log 1: of a kind', 'log 1: it came late', 'log 1: it never came'],
	],
	[
		"another text of the server's",
		'admission/kube/a.ts',
		"throw new Error('not an' + ' object');",
		['message 1: not an object'],
	],
	[
		'help, whose lines are joined',
		'plugin/verbs/a.ts',
		"const a = { summary: 'Show runners', description: [\n\t'All of them,',\n\t'with their jobs.',\n].join('\\n') };",
		['help 1: Show runners', 'help 2: All of them, with their jobs.'],
	],
	[
		"errors and other texts of the plugin's",
		'plugin/verbs/a.ts',
		"throw usageError('name a pod');\nprint('no pod is left');",
		['error 1: name a pod', 'output 2: no pod is left'],
	],
	[
		'the name of a test, and not what it does',
		'test/unit/a.test.ts',
		"test('a busy runner stays', () => {\n\tassert.is(a, b, 'it is gone');\n});",
		['test 1: a busy runner stays'],
	],
	[
		'comments',
		'plugin/a.ts',
		'/** One\n * of them. */\na(); // And two\n// of them.',
		['comment 1: One of them.', 'comment 3: And two of them.'],
	],
	[
		'a heading, and not a comment in a block of code',
		'docs/a.md',
		'# Title\n\n```\n# no heading\n```\n',
		['heading 1: Title'],
	],
	[
		'an alert',
		'manifests/components/monitoring/alerts.yaml',
		"          summary: 'No replica answers.'",
		['alert 1: No replica answers.'],
	],
];
for (const [what, file, source, expected] of rows)
	test(`what is read: ${what}`, () => assert.equal(read(file, source), expected));

test('names, paths and scripts are not read', () => {
	const source =
		"import a from './b.ts';\nconst keys = ['actions-runner/busy', 'Warning'];\nconst x = `a b\n\n\n\nc d`;";
	assert.equal(read('admission/a.ts', source), []);
});

test('a template in a template is one text; its expressions are shown as they are', () => {
	const template = ['of ', '{list(`x ', '{y} z`)} runners'].join('$');
	assert.equal(
		literals(`const a = \`${template}\`;`).map(({ text }) => text),
		[template],
	);
});

test.run();
