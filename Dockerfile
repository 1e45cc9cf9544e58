FROM node:20-bookworm-slim
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev
COPY . .
USER node
ENV HOST=0.0.0.0 DATA_DIR=/tmp/email-engine
ENTRYPOINT ["node", "bin/email-engine.cjs"]
CMD ["start"]
