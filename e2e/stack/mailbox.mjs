// A real SMTP server (npm smtp-server) that keeps mails instead of delivering them, and shows them in the browser. Run as
// a process of its own: node mailbox.mjs SMTP_PORT WEB_PORT. Like others it does not know everybody: nobody@ is refused,
// and later@ is told to try again.

import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import PostalMime from 'postal-mime';
import { SMTPServer } from 'smtp-server';

const [smtpPort, webPort] = process.argv.slice(2);
const mails = [];

const answer = (code, message) => Object.assign(new Error(message), { responseCode: code });

const server = new SMTPServer({
  authOptional: true,
  disabledCommands: ['AUTH', 'STARTTLS'],
  onRcptTo({ address }, session, done) {
    if (address.startsWith('nobody@')) return done(answer(550, 'no such address'));
    if (address.startsWith('later@')) return done(answer(450, 'try again later'));
    done();
  },
  async onData(stream, session, done) {
    try {
      const { messageId, subject, text, headers } = await PostalMime.parse(await buffer(stream));
      const to = session.envelope.rcptTo.map(({ address }) => address);
      const from = session.envelope.mailFrom.address;
      mails.unshift({ id: messageId, at: new Date().toISOString(), from, to, subject, text, automatic: headers.find(({ key }) => key === 'auto-submitted')?.value });
      done();
    } catch (error) {
      done(error);
    }
  },
});

const escaped = (text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
const linked = (text) => escaped(text).replace(/http:\/\/[^\s<]+/g, (url) => `<a href="${url}">${url}</a>`);
const page = () => `<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Mailbox</title><style>body{font:1rem system-ui;max-width:50rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}pre{white-space:pre-wrap;font:inherit}article{border-top:1px solid;padding-block:1rem}</style>
<h1>Mailbox of the local stack</h1><p>${mails.length} mails, the newest first.</p>
${mails.map(({ at, to, subject, text }) => `<article><h2>${escaped(subject)}</h2><p>To ${escaped(to.join(', '))}, ${at}</p><pre>${linked(text)}</pre></article>`).join('\n')}</html>`;

server.listen(Number(smtpPort), '127.0.0.1');
createServer((request, response) => {
  const json = request.url === '/mails.json';
  response.setHeader('content-type', json ? 'application/json' : 'text/html; charset=utf-8');
  response.end(json ? JSON.stringify(mails) : page());
}).listen(Number(webPort), '127.0.0.1');
