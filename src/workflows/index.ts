export { contactBatch, contactPage } from './contact-batch';
export { sweep } from './sweep';
