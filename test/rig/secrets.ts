import { readFile } from 'node:fs/promises';
import type { Rig } from './rig.ts';

/** A value that must never be printed, and the forms in which it could be printed. */
interface SecretValue {
	/** What it is, for the message of a failed test: never the value. */
	what: string;
	forms: string[];
}

const tooShort = 12;

function forms(value: string): string[] {
	// A private key is found by any line of it.
	const lines = value.includes('-----BEGIN ')
		? value.split(/\r?\n|\\n/).filter((line) => line.length > 40 && !line.startsWith('-----'))
		: [value.trim()];
	return [...lines, Buffer.from(value).toString('base64'), encodeURIComponent(value.trim())].filter(
		(form) => form.length >= tooShort,
	);
}

/** All secrets in use in the rig's cluster and at its GitHub, certificates left out, which are public. */
export async function secretsInUse(rig: Rig, more: Record<string, string>): Promise<SecretValue[]> {
	const found: SecretValue[] = [];
	const { items } = await rig.kube.get<{
		items: { metadata: { name: string; namespace: string }; data?: Record<string, string> }[];
	}>('/api/v1/secrets');
	for (const { metadata, data } of items) {
		for (const [key, encoded] of Object.entries(data ?? {})) {
			const value = Buffer.from(encoded, 'base64');
			if (value.includes('-----BEGIN CERTIFICATE') || value.length < tooShort) continue;
			const text = value.toString('utf8');
			const binary = Buffer.from(text, 'utf8').equals(value) ? [] : [value.toString('hex')];
			found.push({
				what: `${key} of Secret ${metadata.namespace}/${metadata.name}`,
				forms: [encoded, ...binary, ...forms(text)],
			});
		}
	}
	for (const [index, token] of rig.github.secrets().entries())
		found.push({ what: `token ${index} at GitHub`, forms: forms(token) });
	const kubeconfig = await readFile(rig.serverKubeconfig, 'utf8');
	const token = /"?token"?:\s*"?([\w.-]{40,})/.exec(kubeconfig)?.[1] ?? '';
	found.push({ what: 'the server’s service account token', forms: forms(token) });
	for (const [what, value] of Object.entries(more)) found.push({ what, forms: forms(value) });
	return found;
}

/** Every object that can be listed, but Secrets, with all its fields. */
export async function allObjects(rig: Rig): Promise<string> {
	const kinds = (await rig.ok(['api-resources', '--verbs=list', '-o', 'name']))
		.trim()
		.split('\n')
		.filter((kind) => kind !== 'secrets');
	return rig.ok(['get', kinds.join(','), '-A', '-o', 'json', '--show-managed-fields']);
}

/** Arguments of processes, as everybody on their machine can read them. */
export async function commandLines(pids: number[]): Promise<string> {
	const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8')));
	return lines.map((line) => line.replaceAll('\0', ' ')).join('\n');
}
