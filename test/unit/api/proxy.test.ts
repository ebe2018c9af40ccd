import * as assert from 'uvu/assert';
import { proxyForPeople, proxyFromEnvironment } from '../../../admission/api/proxy.ts';
import { suite } from '../../support/suite.ts';

const test = suite('proxy from the environment');

for (const [server, env, proxy] of [
	['https://api.example.com', { HTTPS_PROXY: 'http://p:1' }, 'http://p:1'],
	['https://api.example.com', { https_proxy: 'p:1' }, 'http://p:1'],
	['http://api.example.com', { HTTPS_PROXY: 'http://p:1' }, undefined],
	['https://127.0.0.1:6443', { HTTPS_PROXY: 'http://p:1' }, undefined],
	['https://localhost', { HTTPS_PROXY: 'http://p:1' }, undefined],
	['https://api.example.com', { HTTPS_PROXY: 'http://p:1', NO_PROXY: 'a, example.com' }, undefined],
	['https://api.example.com', { HTTPS_PROXY: 'http://p:1', NO_PROXY: '.example.com' }, undefined],
	['https://example.com', { HTTPS_PROXY: 'http://p:1', NO_PROXY: '.example.com' }, 'http://p:1'],
	['https://badexample.com', { HTTPS_PROXY: 'http://p:1', NO_PROXY: 'example.com' }, 'http://p:1'],
	['https://10.1.2.3', { HTTPS_PROXY: 'http://p:1', NO_PROXY: '10.0.0.0/8' }, undefined],
	['https://11.1.2.3', { HTTPS_PROXY: 'http://p:1', NO_PROXY: '10.0.0.0/8' }, 'http://p:1'],
	['https://[fd00::5]', { HTTPS_PROXY: 'http://p:1', NO_PROXY: 'fd00::/8' }, undefined],
	['https://[fd00::5]', { HTTPS_PROXY: 'http://p:1', NO_PROXY: 'fd00::5' }, undefined],
	['https://api:8443', { HTTPS_PROXY: 'http://p:1', NO_PROXY: 'api:443' }, 'http://p:1'],
	['https://api:8443', { HTTPS_PROXY: 'http://p:1', no_proxy: '*' }, undefined],
	['https://api:8443', { HTTPS_PROXY: 'http://p:1', NO_PROXY: 'api:8443' }, undefined],
	['https://api:8443', { HTTPS_PROXY: 'http://p:1', NO_PROXY: ':8443' }, 'http://p:1'],
	['http://ghe.example.com', { HTTP_PROXY: 'https://p:1' }, 'https://p:1'],
	['https://api.example.com', { HTTPS_PROXY: 'http://p:1', NO_PROXY: '*.example.com' }, undefined],
	['https://API.example.com', { HTTPS_PROXY: 'http://p:1', NO_PROXY: 'api.EXAMPLE.com' }, undefined],
	['https://127.9.9.9', { HTTPS_PROXY: 'http://p:1' }, undefined],
	['https://[::1]:6443', { HTTPS_PROXY: 'http://p:1' }, undefined],
	['https://10.1.2.3:6443', { HTTPS_PROXY: 'http://p:1', NO_PROXY: '10.1.2.3' }, undefined],
	['https://10.1.2.3:6443', { HTTPS_PROXY: 'http://p:1', NO_PROXY: '10.1.2.3:443' }, 'http://p:1'],
	['https://[fd00::5]', { HTTPS_PROXY: 'http://p:1', NO_PROXY: 'fd00:0:0::5' }, undefined],
	['https://[fd00::5]', { HTTPS_PROXY: 'http://p:1', NO_PROXY: '[fd00::5]:443' }, undefined],
	// No network: it exempts nothing, and stops nobody.
	['https://10.1.2.3', { HTTPS_PROXY: 'http://p:1', NO_PROXY: '10.0.0.0/64' }, 'http://p:1'],
	['https://10.1.2.3', { HTTPS_PROXY: 'http://p:1', NO_PROXY: '10.0.0.0/' }, 'http://p:1'],
	['https://api.example.com', { HTTPS_PROXY: '  ', https_proxy: 'p:1' }, 'http://p:1'],
] as const) {
	test(`proxy for ${server} with ${JSON.stringify(env)}: ${proxy ?? 'none'}`, () => {
		assert.is(proxyFromEnvironment(new URL(server), env), proxy);
	});
}

test('for people a proxy has no password', () => {
	assert.is(proxyForPeople('http://user:secret@proxy.example.com:3128/'), 'http://proxy.example.com:3128');
	assert.is(proxyForPeople('http://user:sec ret@pro xy'), 'an unreadable URL');
});

test.run();
