/**
 * JSON data as YAML, in block style with sorted keys as kubectl prints it. Small on purpose: js-yaml's writer would
 * take a ninth of the plugin's size limit.
 */
export function toYaml(value: unknown): string {
	if (isEmptyOrScalar(value)) return `${scalar(value)}\n`;
	return `${block(value as object, '')}\n`;
}

function block(value: object, indent: string): string {
	if (Array.isArray(value)) {
		return value.map((item) => `${indent}- ${nested(item, `${indent}  `).trimStart()}`).join('\n');
	}
	return Object.entries(value)
		.filter(([, item]) => item !== undefined)
		.sort(([left], [right]) => (left < right ? -1 : 1))
		.map(([key, item]) => {
			const start = `${indent}${scalar(key)}:`;
			if (isEmptyOrScalar(item)) return `${start} ${scalar(item)}`;
			// kubectl does not indent the items of a list further than its key.
			return `${start}\n${block(item as object, Array.isArray(item) ? indent : `${indent}  `)}`;
		})
		.join('\n');
}

function nested(item: unknown, indent: string): string {
	return isEmptyOrScalar(item) ? scalar(item) : block(item as object, indent);
}

function isEmptyOrScalar(value: unknown): boolean {
	if (typeof value !== 'object' || value === null) return true;
	return Array.isArray(value) ? value.length === 0 : Object.values(value).every((item) => item === undefined);
}

/** Words that YAML 1.1 or 1.2 would read as something else than text. */
const reserved = /^(y|n|yes|no|on|off|true|false|null|~|nan|\.nan|[-+]?\.inf)$/i;
const plain = /^[A-Za-z_/][\w ./@()+-]*(:[\w./@-][\w ./@()+-]*)*$/;

function scalar(value: unknown): string {
	if (Array.isArray(value)) return '[]';
	if (typeof value === 'object' && value !== null) return '{}';
	if (typeof value !== 'string') return JSON.stringify(value);
	const needsQuotes = !plain.test(value) || reserved.test(value) || value.endsWith(' ');
	// A JSON string is a YAML double-quoted one.
	return needsQuotes ? JSON.stringify(value) : value;
}
