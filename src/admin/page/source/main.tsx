import { render } from 'preact';
import { App } from './app';
import { start } from './feed';
import './style.css';

const root = document.getElementById('page');
if (root) {
  render(<App />, root);
  start();
}
