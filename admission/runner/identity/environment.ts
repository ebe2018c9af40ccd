import type { Container, EnvVar, Pod } from '../../api/kinds.ts';

/** The value that a variable has in the container: a text, or why it is not known. undefined: it is not set. */
export type Value = { text: string } | { unknown: string } | undefined;

/** Longer values are not expanded. References can double a value with each variable, and no name or URL is this long. */
export const longestValue = 1_024;

/**
 * The environment of a container, as far as the pod's spec tells it. By the kubelet's rules (kubernetes
 * pkg/kubelet/kubelet_pods.go, makeEnvironmentVariables): what `envFrom` gives comes first, `env` overrides it in its
 * order, and a later variable of the same name wins. A reference sees what was defined before it.
 */
export function environmentOf(container: Container, pod: Pod): (name: string) => Value {
	const values = new Map<string, Value>();
	const fromElsewhere = (name: string) =>
		container.envFrom?.some(({ prefix }) => name.startsWith(prefix ?? '')) === true;
	const lookup = (name: string): Value =>
		values.get(name) ?? (fromElsewhere(name) ? { unknown: `${name} may come from envFrom` } : undefined);
	for (const variable of container.env ?? []) values.set(variable.name, resolve(variable, pod, lookup));
	return lookup;
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

/** `$(NAME)`, `$$`, `$(` without an end, or `$` and any character: what Expand reads at a dollar sign that is not the last character. */
const atDollar = /\$(?:\(([^)]*)\)|(.))/gsu;

/** The variables that Kubernetes itself sets for Services: which of them there are, and when, the pod does not tell. */
const ofService = /_(SERVICE_HOST|SERVICE_PORT|PORT)(_[A-Z0-9_]+)?$/;

/**
 * The text with its references replaced (kubernetes third_party/forked/golang/expansion/expand.go): `$(NAME)` by the value
 * of NAME, and it stays as it is where NAME is not set; `$$` by `$`.
 */
function expand(name: string, text: string, lookup: (name: string) => Value): Value {
	if (text.length > longestValue) return { unknown: `${name} is too long` };
	if (!text.includes('$')) return { text };
	let unknown: string | undefined;
	let length = text.length;
	const expanded = text.replace(
		atDollar,
		(whole, reference: string | undefined, next: string | undefined) => {
			if (unknown !== undefined) return '';
			if (reference === undefined) return next === '$' ? '$' : whole;
			const value = lookup(reference);
			if (value === undefined) {
				if (ofService.test(reference)) unknown = `${name} refers to ${reference}, a Service's variable`;
				return whole;
			}
			if ('unknown' in value) {
				unknown = `${name} refers to ${reference}, which is not known`;
				return '';
			}
			length += value.text.length;
			if (length > longestValue) unknown = `${name} is too long`;
			return value.text;
		},
	);
	return unknown === undefined ? { text: expanded } : { unknown };
}

/**
 * The container with no more than what tells these variables: they themselves, what they refer to, and that there is an
 * `envFrom`. `environmentOf` gives the same values for it.
 */
export function onlyVariables({ name, env, envFrom }: Container, names: readonly string[]): Container {
	const wanted = new Set(names);
	// From the last to the first: a variable can refer only to what stands before it.
	const kept = (env ?? []).toReversed().filter((variable) => {
		if (!wanted.has(variable.name)) return false;
		const value = variable.value?.slice(0, longestValue + 1) ?? '';
		for (const [, reference] of value.matchAll(atDollar)) if (reference !== undefined) wanted.add(reference);
		return true;
	});
	return {
		name,
		env: kept.toReversed().map((variable) => ({
			...variable,
			...(variable.value === undefined ? {} : { value: variable.value.slice(0, longestValue + 1) }),
		})),
		...(envFrom ? { envFrom: envFrom.map(({ prefix }) => (prefix === undefined ? {} : { prefix })) } : {}),
	};
}
