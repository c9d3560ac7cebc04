import { chromium } from '@playwright/test';
const base='http://localhost:3000';
const browser = await chromium.launch({executablePath:'/usr/bin/chromium', args:['--no-sandbox']});
const errors=[];
export async function as(person, opts={}) {
  const ctx = await browser.newContext({viewport:{width:opts.width??1280,height:900}, colorScheme: opts.dark?'dark':'light', javaScriptEnabled: opts.js??true});
  const page = await ctx.newPage();
  page.on('console', m=>{ if(['error','warning'].includes(m.type())) console.log('CONSOLE',person,m.text()); });
  page.on('pageerror', e=>console.log('PAGEERROR',e.message));
  if (person) {
    await page.goto(base+'/access');
    if (!page.url().includes('/choose/')) console.log('not at provider: '+page.url(), (await page.content()).slice(0,500));
    await page.click(`button[value=${person}]`);
    await page.waitForURL(base+'/**');
  }
  return page;
}
const shot=(p,n)=>p.screenshot({path:`/tmp/shots/${n}.png`, fullPage:true});
const what = process.argv[2];
if (what==='tour') {
  const who=process.argv[3]==='-'?null:process.argv[3];
  const page = await as(who,{width:Number(process.argv[4]??1280),dark:process.argv[5]==='dark'});
  for (const path of process.argv.slice(6)) {
    const r = await page.goto(base+path);
    console.log(r.status(), page.url());
    const overflow = await page.evaluate(()=>document.documentElement.scrollWidth>innerWidth);
    if (overflow) console.log('OVERFLOW', path);
    await shot(page, `${who??'anon'}-${process.argv[4]}-${process.argv[5]}${path.replaceAll('/','_')}`);
  }
}
await browser.close();
