import { unansweredBy } from '../../kube/webhook-errors.ts';

/** Explains what the API server says of a webhook that gave it no answer, and what to do about it. */
export function explainCallFailure(message: string): { why: string; advice: string } {
	for (const [pattern, why, advice] of causes) if (pattern.test(message)) return { why, advice };
	return { why: (unansweredBy(message)?.why ?? message).slice(0, 300), advice: logs };
}

const logs = 'look at the server: kubectl logs -n runners-system -l app.kubernetes.io/name=runners-admission';
const restart = 'a server writes the caBundle within seconds of its start; if it has not, restart it';

const causes: readonly (readonly [RegExp, string, string])[] = [
	[
		/certificate signed by unknown authority|x509: ECDSA verification failure/,
		'its serving certificate is not signed by the CA in the caBundle (x509: unknown authority)',
		`${restart}; with --tls-cert-file or cert-manager the caBundle is yours to set`,
	],
	[
		/certificate has expired or is not yet valid/,
		'its serving certificate has expired, or is not valid yet (x509)',
		'renew it (a server that manages its own certificate does so when it starts), and check the clocks',
	],
	[
		/x509: certificate is (?:valid for .*, not|not valid for)/,
		"its serving certificate is for another name than the Service's (x509)",
		'the certificate needs the name runners-admission.NAMESPACE.svc',
	],
	[
		/tls: (?:certificate required|bad certificate|unknown certificate authority)/,
		'it asks for a client certificate, and the API server presents none that it accepts',
		'it runs with --client-ca-file: set up the API server first, see docs/operations.md',
	],
	[/x509/, 'its serving certificate is not accepted (x509)', restart],
	[
		/no endpoints available for service/,
		'no replica is ready behind its Service',
		'kubectl get pods -n runners-system; while no replica is ready, break-glass works: see docs/runbook.md',
	],
	[
		/service "[^"]*" not found/,
		'its Service does not exist',
		'to put it back: kubectl runners install; to remove the webhook: kubectl runners uninstall',
	],
	[
		/connection refused|EOF|connection reset/,
		'nothing listens at its address (the connection is refused or cut)',
		'start a replica; while none runs, break-glass works: see docs/runbook.md',
	],
	[
		/does not recognise the API server/,
		'it answers, but the path in the webhook configuration is not one that it has written',
		'it writes the path within seconds; if that stays so, do the replicas share the Secret runners-admission-proof? Restart them',
	],
	[
		/no such host/,
		"the API server can't resolve its name",
		'for a server outside of the cluster: can the API server resolve the ExternalName of the Service?',
	],
	[
		/deadline exceeded|timeout|timed out/i,
		'it did not answer in time',
		'is a firewall or NetworkPolicy between the API server and port 9443 of the server?',
	],
];
