import type { Container, EnvVar, Pod } from '../../api/kinds.ts';

/** The value that a variable has in the container: a text, or why it is not known. undefined: it is not set. */
export type Value = { text: string } | { unknown: string } | undefined;

/** Longer values are not expanded. References can double a value with each variable, and no name or URL is this long. */
export const longestValue = 1_024;

/**
 * As many references are followed for the variables that are asked for. A runner's name, scope and GitHub are made of a
 * few; what refers to more is not known, so that no pod takes longer to read than this.
 */
export const mostReferences = 256;

/** A container with more `envFrom` than this may get every variable from one: their prefixes are not looked at. */
export const mostSources = 100;

/**
 * These variables of a container, as far as the pod's spec tells them. By the kubelet's rules (kubernetes
 * pkg/kubelet/kubelet_pods.go, makeEnvironmentVariables): what `envFrom` gives comes first, `env` overrides it in its
 * order, and a later variable of the same name wins. A reference sees what was defined before it.
 *
 * @param names of no other variable is the value given
 */
export function environmentOf(
	container: Container,
	pod: Pod,
	names: readonly string[],
): (name: string) => Value {
	const { variables, unfollowed } = neededFor(names, container);
	const values = new Map<string, Value>();
	const prefixes = prefixesOf(container);
	const fromElsewhere = (name: string) => prefixes.some((prefix) => name.startsWith(prefix));
	const lookup = (name: string): Value =>
		values.get(name) ?? (fromElsewhere(name) ? { unknown: `${name} may come from envFrom` } : undefined);
	for (const variable of variables) {
		const { name } = variable;
		values.set(
			name,
			unfollowed.has(variable)
				? { unknown: `${name} refers to too many variables` }
				: resolve(variable, pod, lookup),
		);
	}
	return lookup;
}

interface Needed {
	/** In their order. */
	variables: EnvVar[];
	/** Those of them whose references were too many to be followed. */
	unfollowed: ReadonlySet<EnvVar>;
}

/**
 * The variables that decide on the values of those of these names. From the last to the first, since a variable can refer
 * only to what stands before it, and each name is looked for until it is found.
 */
function neededFor(names: readonly string[], container: Container): Needed {
	const env = container.env ?? [];
	const wanted = new Set(names);
	const variables: EnvVar[] = [];
	const unfollowed = new Set<EnvVar>();
	let left = mostReferences;
	for (let at = env.length - 1; at >= 0 && wanted.size > 0; at--) {
		const variable = env[at];
		if (!variable || !wanted.delete(variable.name)) continue;
		variables.push(variable);
		const references = referencesIn(variable.value ?? '');
		if (references.length > left) {
			unfollowed.add(variable);
			continue;
		}
		left -= references.length;
		for (const reference of references) wanted.add(reference);
	}
	return { variables: variables.reverse(), unfollowed };
}

function prefixesOf(container: Container): string[] {
	const envFrom = container.envFrom ?? [];
	if (envFrom.length > mostSources) return [''];
	return envFrom.map(({ prefix }) => prefix ?? '');
}

/** As the kubelet: `valueFrom` counts only where there is no `value`. */
function resolve({ name, value, valueFrom }: EnvVar, pod: Pod, lookup: (name: string) => Value): Value {
	if (value) return expand(name, value, lookup);
	if (!valueFrom) return { text: '' };
	const field = valueFrom.fieldRef?.fieldPath;
	const text = field === undefined ? undefined : fixedField(field, pod);
	if (text !== undefined) return { text };
	if (field === undefined) return { unknown: `${name} is from a Secret or ConfigMap` };
	return { unknown: `${name} is from ${field}, which can change` };
}

/** A field that stays what it was when the container started. Labels and annotations do not. */
function fixedField(path: string, { metadata, spec }: Pod): string | undefined {
	switch (path) {
		case 'metadata.name':
			return metadata.name;
		case 'metadata.namespace':
			return metadata.namespace;
		case 'metadata.uid':
			return metadata.uid;
		case 'spec.nodeName':
			return spec?.nodeName;
		default:
			return undefined;
	}
}

/** `$(NAME)`, or `$` and any character: what Expand reads at a dollar sign, in a text in which each `$(` has its end. */
const atDollar = /\$(?:\(([^)]*)\)|(.))/gsu;

/** What follows has no `)`, and so no reference: what is searched for an end that is not there is searched again at each `$(`. */
const endOfReferences = (text: string): number => text.lastIndexOf(')') + 1;

/** The names that a text refers to. None of one that is too long to be expanded. */
function referencesIn(text: string): string[] {
	if (text.length > longestValue) return [];
	const found = text.slice(0, endOfReferences(text)).matchAll(atDollar);
	return Array.from(found, ([, reference]) => reference).filter((reference) => reference !== undefined);
}

/** The variables that Kubernetes itself sets for Services: which of them there are, and when, the pod does not tell. */
const isOfService = (name: string): boolean =>
	/^[A-Z0-9_]+$/.test(name) && /_(SERVICE_HOST|SERVICE_PORT|PORT)(_|$)/.test(name);

/**
 * The text with its references replaced (kubernetes third_party/forked/golang/expansion/expand.go): `$(NAME)` by the value
 * of NAME, and it stays as it is where NAME is not set; `$$` by `$`. A text that is or becomes too long is not known.
 */
function expand(name: string, text: string, lookup: (name: string) => Value): Value {
	if (text.length > longestValue) return { unknown: `${name} is too long` };
	if (!text.includes('$')) return { text };
	let unknown: string | undefined;
	let length = text.length;
	const end = endOfReferences(text);
	const expanded = text
		.slice(0, end)
		.replace(atDollar, (whole, reference: string | undefined, next: string | undefined) => {
			if (unknown !== undefined) return '';
			if (reference === undefined) return next === '$' ? '$' : whole;
			const value = lookup(reference);
			if (value === undefined) {
				if (isOfService(reference)) unknown = `${name} refers to ${reference}, a Service's variable`;
				return whole;
			}
			if ('unknown' in value) {
				unknown = `${name} refers to ${reference}, which is not known`;
				return '';
			}
			length += value.text.length;
			if (length > longestValue) unknown = `${name} is too long`;
			return value.text;
		});
	return unknown === undefined
		? { text: expanded + text.slice(end).replaceAll('$$', () => '$') }
		: { unknown };
}

/**
 * The container with no more than what tells these variables: they themselves, what they refer to, and that there is an
 * `envFrom`. `environmentOf` gives the same values for it.
 *
 * @param also a variable of which only whether it is given is asked: the first of this name is kept
 */
export function onlyVariables(container: Container, names: readonly string[], also: string): Container {
	const { name, envFrom } = container;
	const env = container.env ?? [];
	const kept = new Set(neededFor(names, container).variables);
	const first = env.find((variable) => variable.name === also);
	if (first) kept.add(first);
	const prefixes = prefixesOf(container).map((prefix) => (prefix === '' ? {} : { prefix }));
	return {
		name,
		env: env
			.filter((variable) => kept.has(variable))
			.map((variable) => ({
				...variable,
				...(variable.value === undefined ? {} : { value: variable.value.slice(0, longestValue + 1) }),
			})),
		...(envFrom ? { envFrom: prefixes } : {}),
	};
}
