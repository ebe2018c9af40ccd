/** The texts of a file that people read, by kind. */
import { comments, hashComments, type Passage } from './comments.ts';
import { type Literal, literals } from './literals.ts';
import { tokenize } from './tokens.ts';

export const kinds = {
	resource: 'descriptions and rules of the custom resources, as kubectl explain shows them',
	condition: 'conditions: type, reason and message',
	denial: 'what the guard answers and writes on pods',
	event: 'Events',
	log: 'lines of the log',
	message: 'other texts of the server',
	help: '--help of the server and of the plugin',
	error: 'errors and warnings of the plugin',
	output: 'what else the plugin prints',
	alert: 'alerts, panels, and the help of metrics',
	heading: 'headings of the documents',
	test: 'names of tests',
	comment: 'comments',
} as const;
export type Kind = keyof typeof kinds;

interface Sentence extends Passage {
	kind: Kind;
}

export function sentencesOf(file: string, source: string): Sentence[] {
	const found = file.endsWith('.ts') ? ofProgram(file, source) : ofText(file, source);
	return found.map((one) => ({ ...one, text: one.text.replace(/\s+/g, ' ').trim() }));
}

function ofProgram(file: string, source: string): Sentence[] {
	return [
		...ofComments(comments(tokenize(source))),
		...literals(source).flatMap((literal) => {
			const kind = kindOf(file, literal);
			return kind ? [{ kind, line: literal.line, text: withContext(kind, literal) }] : [];
		}),
	];
}

/** By how it is used; if that says nothing, by where it is. */
function kindOf(file: string, { key, calls, text, labels }: Literal): Kind | undefined {
	const called = (pattern: RegExp) => calls.some((call) => pattern.test(call));
	if (!isProse(text) || text.split('\n').length > 4) return undefined; // a name; a script or a manifest
	if (file.startsWith('test/')) return called(/^(?:test|\w*[tT]est)$/) ? 'test' : undefined;
	if (/^admission\/api\/schema\/|^scripts\/crds\//.test(file)) return key === 'rule' ? undefined : 'resource';
	if (file.startsWith('scripts/')) return undefined;
	if (called(/\blog\.(?:trace|debug|info|warn|error)$/)) return 'log';
	if (called(/\bevents\.send$/)) return 'event';
	if (/^(?:description|summary|usage|examples)$/.test(key ?? '') && /^plugin\/|flags/.test(file))
		return 'help';
	if (file.startsWith('plugin/'))
		return called(/Error$|^warn/) || /^(?:error|warning):/i.test(text) ? 'error' : 'output';
	if (file.startsWith('admission/guard/')) return 'denial';
	if (key === 'help') return 'alert';
	return labels.length > 0 && /^admission\/(?:sets|autoscale)\//.test(file) ? 'condition' : 'message';
}

/** A description is read beside its field, a denial beside its reason, a condition beside its type and reason. */
function withContext(kind: Kind, { text, key, labels }: Literal): string {
	if (kind === 'resource' || kind === 'denial') return key === undefined ? text : `${key}: ${text}`;
	return labels.length > 0 && /^(?:condition|event)$/.test(kind) ? `${labels.join(' ')}: ${text}` : text;
}

function ofText(file: string, source: string): Sentence[] {
	const lines = (kind: Kind, pattern: RegExp, text = source) =>
		text.split('\n').flatMap((line, index) => {
			const said = pattern.exec(line)?.[1];
			return said === undefined ? [] : [{ kind, line: index + 1, text: said }];
		});
	if (file.endsWith('.md')) return lines('heading', /^#+ (.*)/, withoutCode(source));
	if (file.startsWith('manifests/components/monitoring/') && /alerts|dashboard/.test(file))
		return lines('alert', /^\s*"?(?:summary|description|title)"?: *["']?(.*?)["']?,?$/);
	if (file.endsWith('.json')) return [];
	return ofComments(hashComments(source));
}

function ofComments(passages: readonly Passage[]): Sentence[] {
	return passages
		.filter(({ text }) => isProse(text))
		.map((passage) => ({ ...passage, kind: 'comment' as const }));
}

/** In a block of code a `#` begins a comment. */
function withoutCode(markdown: string): string {
	return markdown.replace(/^```[\s\S]*?^```/gm, (block) => block.replace(/[^\n]/g, ''));
}

/** Two words at least: anything else is a name, a path or a piece of code. */
function isProse(text: string): boolean {
	return /\p{L}{2,},? +\p{L}/u.test(text.replace(/\$\{[^}]*\}/g, ' '));
}
