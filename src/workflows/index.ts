export { contactBatch, contactPage } from './contact-batch';
export { reconcile } from './reconcile';
export { sweep } from './sweep';
