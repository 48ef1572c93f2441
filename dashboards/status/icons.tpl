{{%AUTOESCAPE context="HTML"}}
<svg hidden width="0" height="0" aria-hidden="true">
<symbol id="i-none" viewBox="0 0 20 20"><circle cx="10" cy="10" r="8.5" fill="none" stroke="currentColor" stroke-width="2"/><path d="M6 10.5l2.8 2.8L14.2 7.5" fill="none" stroke="currentColor" stroke-width="2"/></symbol>
<symbol id="i-minor" viewBox="0 0 20 20"><path d="M10 2l8.5 15h-17z" fill="none" stroke="currentColor" stroke-width="2" stroke-linejoin="round"/><path d="M10 7.5v5" stroke="currentColor" stroke-width="2"/><circle cx="10" cy="14.7" r="1.1" fill="currentColor"/></symbol>
<symbol id="i-major" viewBox="0 0 20 20"><circle cx="10" cy="10" r="8.5" fill="none" stroke="currentColor" stroke-width="2"/><path d="M10 1.5a8.5 8.5 0 0 1 0 17z" fill="currentColor"/></symbol>
<symbol id="i-critical" viewBox="0 0 20 20"><rect x="2" y="2" width="16" height="16" rx="2" fill="currentColor"/><path d="M6.5 6.5l7 7m0-7l-7 7" stroke="var(--sheet)" stroke-width="2.2"/></symbol>
<symbol id="i-unknown" viewBox="0 0 20 20"><circle cx="10" cy="10" r="8.5" fill="none" stroke="currentColor" stroke-width="2" stroke-dasharray="3 2.3"/><path d="M7.5 8a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.9-1.1 1.8" fill="none" stroke="currentColor" stroke-width="1.8"/><circle cx="10" cy="14.3" r="1.1" fill="currentColor"/></symbol>
</svg>
