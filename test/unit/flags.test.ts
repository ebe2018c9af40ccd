import * as assert from 'uvu/assert';
import { readSettings } from '../../admission/flags.ts';
import { suite } from '../support/suite.ts';

const test = suite('flags');
const read = (argv: string[], env = {}) => readSettings(argv, env, '1');

test('defaults', () => {
	const { port, healthPort, eventsPort, namespace, githubApiUrl, logLevel, logFormat } = read([]);
	assert.equal(
		[port, healthPort, eventsPort, namespace, githubApiUrl, logLevel, logFormat],
		[9443, 8081, 8000, 'runners-system', 'https://api.github.com', 'info', 'json'],
	);
});
test('job hooks: where they come in, how they get there, and who has them', () => {
	const hooks = (argv: string[], env = {}) => {
		const { jobsPort, jobsUrl, jobHooks } = read(argv, env);
		return [jobsPort, jobsUrl, jobHooks];
	};
	assert.equal(hooks([]), [9444, 'https://runners-admission.runners-system.svc:9444', 'sets']);
	assert.equal(hooks(['--namespace', 'n']), [9444, 'https://runners-admission.n.svc:9444', 'sets']);
	const env = { JOBS_PORT: '0', JOBS_URL: 'https://hooks.example/base/', JOB_HOOKS: 'off' };
	assert.equal(hooks([], env), [0, 'https://hooks.example/base', 'off']);
	for (const url of ['http://h', 'h', 'https://h/?a', 'https://a:b@h', 'https://h#x'])
		assert.throws(() => read(['--jobs-url', url]), /--jobs-url: .* is not an https URL/);
	assert.throws(() => read(['--job-hooks', 'some']), /--job-hooks: some is not one of sets, all, off/);
});
test('the web address of GitHub follows from that of its API, unless it is given', () => {
	for (const [api, web] of [
		['https://api.github.com', 'https://github.com/'],
		['https://ghes.example/api/v3', 'https://ghes.example/'],
		['https://ghes.example:8443/api/v3/', 'https://ghes.example:8443/'],
		['https://api.octo.ghe.com', 'https://octo.ghe.com/'],
		['https://api.octo.ghe.com.evil.example', 'https://api.octo.ghe.com.evil.example/'],
	] as const)
		assert.is(read(['--github-api-url', api]).githubUrl, web);
	const proxy = ['--github-api-url', 'http://127.0.0.1:81', '--github-url', 'https://github.com'];
	assert.is(read(proxy).githubUrl, 'https://github.com/');
	assert.throws(() => read(['--github-url', 'github.com']), /--github-url: github.com is not an http/);
});
test('each flag has a twin in the environment, and wins over it', () => {
	const env = {
		PORT: '1',
		HEALTH_PORT: '2',
		EVENTS_PORT: '3',
		GITHUB_API_URL: 'https://ghes/api/v3',
		NAMESPACE: 'n',
		GITHUB_SECRET: 's',
		LOG_LEVEL: 'debug',
		LOG_FORMAT: 'text',
		SHUTDOWN_DELAY_SECONDS: '0',
	};
	const settings = read(['--port', '7'], env);
	assert.equal(
		[
			settings.port,
			settings.healthPort,
			settings.eventsPort,
			settings.githubApiUrl,
			settings.namespace,
			settings.githubSecret,
			settings.logLevel,
			settings.logFormat,
			settings.shutdownDelayMs,
		],
		[7, 2, 3, 'https://ghes/api/v3', 'n', 's', 'debug', 'text', 0],
	);
});
test('lifetimes of certificates, from flag or environment', () => {
	const day = 86_400_000;
	assert.equal(read([]).lifetimes, { servingMs: 90 * day, authorityMs: 1825 * day });
	const settings = read(['--cert-validity', '24h'], { CERT_VALIDITY: '1h', CA_VALIDITY: '30d' });
	assert.equal(settings.lifetimes, { servingMs: day, authorityMs: 30 * day });
	assert.is(read([], { CLIENT_CA_FILE: '/ca.crt' }).clientCaFile, '/ca.crt');
});
test('a setting that can not be used is named', () => {
	const wrong: [string[], RegExp][] = [
		[['--port', 'abc'], /--port: abc/],
		[['--port', '70000'], /--port/],
		[['--github-api-url', 'nowhere'], /--github-api-url: nowhere/],
		[['--log-level', 'loud'], /--log-level: loud is not one of/],
		[['--controllers', 'magic'], /--controllers: magic/],
		[['--tls-cert-file', 'a'], /must be given together/],
		[['--cert-validity', 'long'], /--cert-validity: long is not a duration like 90d/],
		[['--cert-validity', '1s'], /--cert-validity: 1s is shorter than 10s/],
		[['--ca-validity', '40000d'], /--ca-validity: 40000d is longer than 36500d/],
		[['--cert-validity', '100000000d'], /--cert-validity: 100000000d is longer than 36500d/],
		[['--ca-validity', '24h'], /--ca-validity is shorter than --cert-validity/],
		[['extra'], /unexpected argument extra/],
	];
	for (const [argv, message] of wrong) assert.throws(() => read(argv), message);
});

test.run();
