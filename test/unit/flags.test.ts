import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { flagOf, flags, readCommandLine, renderHelp, variableOf } from '../../admission/command-line.ts';
import { readSettings } from '../../admission/flags.ts';
import { suite } from '../support/suite.ts';

const test = suite('flags');
const read = (argv: string[], env = {}) => readSettings(readCommandLine(argv).values, env);

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
test('a setting that cannot be used is named', () => {
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
		[['extra'], /unexpected argument "extra"$/],
		[['help'], /unexpected argument "help" \(did you mean --help\?\)/],
		[['port=1'], /unexpected argument "port=1" \(did you mean --port\?\)/],
		[['--prot', '1'], /unknown flag: --prot \(did you mean --port\?\)/],
		[['--port'], /flag needs an argument: --port/],
		[['--port', '-1'], /--port: -1 is not a whole number/],
	];
	for (const [argv, message] of wrong) assert.throws(() => read(argv), message);
	assert.throws(() => read([], { PORT: 'abc' }), /^PORT: abc is not a whole number/);
	assert.throws(() => read(['--port', 'x'], { PORT: '1' }), /^--port: x is not a whole number/);
});
test('an empty value is as good as none', () => {
	assert.is(read(['--port=', '--client-ca-file', ''], { PORT: '' }).port, 9443);
	assert.is(read(['--client-ca-file', '']).clientCaFile, undefined);
});
test('--help and --version are answered beside any other flag, whatever its value', () => {
	const asked = (...argv: string[]) => {
		const { help, version } = readCommandLine(argv);
		return [help, version];
	};
	assert.equal(asked(), [false, false]);
	assert.equal(asked('--port', 'abc', '-h'), [true, false]);
	assert.equal(asked('--version', '--port=abc'), [false, true]);
});
test('the help has each flag with its variable and its default, in lines of at most 120 characters', () => {
	const help = renderHelp();
	for (const [key, flag] of Object.entries(flags)) {
		const name = key as keyof typeof flags;
		const unset = 'fallback' in flag ? `, default: ${flag.fallback}]` : '';
		assert.ok(help.includes(`      ${flagOf(name)} ${flag.placeholder} `), key);
		assert.ok(help.includes(`[$${variableOf(name)}${unset}`), key);
	}
	const longest = Math.max(...help.split('\n').map((line) => line.length));
	assert.ok(longest <= 120, `${longest} characters`);
});
test('docs/operations.md has each flag with its variable and its default', () => {
	const rows = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')
		.split('\n')
		.filter((line) => line.startsWith('| `--'));
	for (const [key, flag] of Object.entries(flags)) {
		const name = key as keyof typeof flags;
		const row = rows.find((line) => line.includes(`\`${flagOf(name)}\``)) ?? '';
		assert.ok(row.includes(`\`${variableOf(name)}\``), key);
		const isSpelledOut = 'fallback' in flag && !key.endsWith('Image');
		assert.ok(!isSpelledOut || row.includes(flag.fallback), `${key}: ${row}`);
	}
});

test.run();
