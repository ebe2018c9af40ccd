import { eventsPrefix } from '../../../admission/api/keys.ts';
import type { EventsReport, HookReport, HookSettings } from '../../../admission/api/report.ts';

/**
 * The events that each replica has received from GitHub, from the annotations of the status ConfigMap. Anybody may have
 * edited them, so what cannot be read is ignored.
 */
export function eventsReports(annotations: Record<string, string> = {}): EventsReport[] {
	return Object.keys(annotations)
		.filter((key) => key.startsWith(eventsPrefix))
		.sort()
		.map((key) => parsed(annotations[key] ?? ''))
		.filter((report) => report !== undefined);
}

function parsed(text: string): EventsReport | undefined {
	let read: unknown;
	try {
		read = JSON.parse(text);
	} catch {
		return undefined;
	}
	const { receiving, since, results, lastRefusal, hooks } = fieldsOf(read);
	if (typeof receiving !== 'boolean' || typeof since !== 'string') return undefined;
	const { at, result } = fieldsOf(lastRefusal);
	const refusal = typeof at === 'string' && typeof result === 'string' ? { at, result } : undefined;
	return {
		receiving,
		since,
		results: Object.fromEntries(
			Object.entries(fieldsOf(results)).filter(
				(entry): entry is [string, number] => typeof entry[1] === 'number',
			),
		),
		...(refusal ? { lastRefusal: refusal } : {}),
		hooks: Array.isArray(hooks) ? hooks.map(hookOf).filter((hook) => hook !== undefined) : [],
	};
}

function hookOf(value: unknown): HookReport | undefined {
	const { hook, lastDeliveryAt, failed, hidden, settings } = fieldsOf(value);
	if (typeof hook !== 'string' || typeof lastDeliveryAt !== 'string') return undefined;
	const configured = settingsOf(settings);
	return {
		hook,
		lastDeliveryAt,
		...(typeof failed === 'number' ? { failed } : {}),
		...(hidden === true ? { hidden } : {}),
		...(configured ? { settings: configured } : {}),
	};
}

function settingsOf(value: unknown): HookSettings | undefined {
	const { active, events, host, contentType, insecureSsl } = fieldsOf(value);
	if (typeof active !== 'boolean' || !Array.isArray(events)) return undefined;
	return {
		active,
		events: events.filter((event) => typeof event === 'string'),
		...(typeof host === 'string' ? { host } : {}),
		...(typeof contentType === 'string' ? { contentType } : {}),
		...(typeof insecureSsl === 'boolean' ? { insecureSsl } : {}),
	};
}

const fieldsOf = (value: unknown): Record<string, unknown> =>
	typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
