import { Speaker } from './index';

/** As the npm package `speaker` exports it: `require('ictus/speaker')`, `import Speaker from 'ictus/speaker'`. */
export = Speaker;
